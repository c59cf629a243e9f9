//! Two PostgreSQL servers: a primary and a synchronous standby, which must have a commit before it is acknowledged.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::postgresql::Server;
use super::{block_on, eventually, number, run};

const DATABASE: &str = "postgres";
const PATIENCE: Duration = Duration::from_secs(60);

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

    /// Gives the primary a new standby, whose data is copied while the primary is stopped; from then on a commit is acknowledged
    /// only when the standby has it, too.
    pub fn add_standby(&mut self) {
        self.primary.stop("INT");
        let Server { port, password, directory: from, .. } = &self.primary;
        let arrange = |directory: &Path| {
            let copied = Command::new("cp").arg("-r").arg(from.join("data")).arg(directory).status().unwrap();
            assert!(copied.success(), "{copied}");
            let followed = format!("primary_conninfo = 'host=127.0.0.1 port={port} user=postgres password={password}'\n");
            fs::write(directory.join("data/postgresql.auto.conf"), followed).unwrap();
            fs::write(directory.join("data/standby.signal"), "").unwrap();
        };
        self.standby = Some(Server::with_password(password.clone(), arrange, &[]));
        assert!(self.primary.resume(), "its port is taken");
        let primary = self.url();
        run(&primary, "alter system set synchronous_standby_names = '*'");
        run(&primary, "select pg_reload_conf()");
        let standbys = "select count(*) from pg_stat_replication where sync_state = 'sync'";
        block_on(eventually(PATIENCE, "the standby follows", async || number(&primary, standbys) > 0));
    }

    /// Promotes the standby to primary; after that, there is no standby.
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
