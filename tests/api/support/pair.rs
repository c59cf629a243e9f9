//! Two PostgreSQL servers: a primary, and a standby without which no commit is acknowledged.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io};

use sqlx::{Connection, PgConnection};

use super::postgresql::Server;
use super::{block_on, number, run};

const DATABASE: &str = "postgres";
const PATIENCE: Duration = Duration::from_secs(60);
/// Belongs to the running server and not to its data (PostgreSQL manual, "Making a Base Backup Using the Low Level API").
const NOT_DATA: [&str; 4] = ["postmaster.pid", "postmaster.opts", "standby.signal", "postgresql.auto.conf"];

pub struct Pair {
    pub primary: Server,
    pub standby: Option<Server>,
}

impl Pair {
    pub fn start() -> Self {
        let mut pair = Self { primary: Server::start(&[]), standby: None };
        pair.add_standby();
        pair
    }

    /// Gives the primary a new standby; from then on a commit is acknowledged when the standby has it, too.
    pub fn add_standby(&mut self) {
        let primary = self.primary.url(DATABASE);
        let arrange = |directory: &Path| {
            back_up(&self.primary, &directory.join("data")).unwrap();
            let Server { port, password, .. } = &self.primary;
            let followed = format!("primary_conninfo = 'host=127.0.0.1 port={port} user=postgres password={password}'\n");
            fs::write(directory.join("data/postgresql.auto.conf"), followed).unwrap();
            fs::write(directory.join("data/standby.signal"), "").unwrap();
        };
        self.standby = Some(Server::with_password(self.primary.password.clone(), arrange, &[]));
        run(&primary, "alter system set synchronous_standby_names = '*'");
        run(&primary, "select pg_reload_conf()");
        let started = Instant::now();
        while number(&primary, "select count(*) from pg_stat_replication where sync_state = 'sync'") == 0 {
            assert!(started.elapsed() < PATIENCE, "the standby does not follow");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The primary's process dies; what it was doing ends in the middle.
    pub fn kill_primary(&mut self) {
        self.primary.stop("KILL");
    }

    /// The standby becomes the primary, and there is no standby any more.
    pub fn promote(&mut self) {
        let standby = self.standby.take().expect("a standby");
        assert_eq!(number(&standby.url(DATABASE), "select pg_promote(true, 60)::int::bigint"), 1, "promoted");
        self.primary = standby;
    }

    pub fn url(&self) -> String {
        self.primary.url(DATABASE)
    }
}

pub fn address(server: &Server) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], server.port))
}

/// A physical backup of a server that goes on working, into `to`: a server that is started there has all that was committed
/// before this returns.
fn back_up(server: &Server, to: &Path) -> io::Result<()> {
    block_on(async {
        // The backup lasts as long as the session.
        let mut session = PgConnection::connect(&server.url(DATABASE)).await.unwrap();
        sqlx::query("select pg_backup_start('drill', true)").execute(&mut session).await.unwrap();
        let data = server.directory.join("data");
        copy(&data, to, &|path| path == data.join("pg_wal"))?;
        let stop = "select labelfile from pg_backup_stop(false)";
        let label: String = sqlx::query_scalar(stop).fetch_one(&mut session).await.unwrap();
        fs::write(to.join("backup_label"), label)?;
        // The log last: it leads from wherever the files were when they were copied to here.
        copy(&data.join("pg_wal"), &to.join("pg_wal"), &|_| false)
    })
}

/// Everything in `from` that is data; of directories that are to be left `empty` only the directory.
fn copy(from: &Path, to: &Path, empty: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, into) = (entry.path(), to.join(entry.file_name()));
        let copied = if NOT_DATA.iter().any(|name| entry.file_name() == *name) {
            Ok(())
        } else if empty(&path) {
            fs::create_dir_all(into)
        } else if path.is_dir() {
            copy(&path, &into, empty)
        } else {
            fs::copy(&path, into).map(drop)
        };
        match copied {
            // The server may remove files meanwhile; the log knows.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            copied => copied?,
        }
    }
    Ok(())
}
