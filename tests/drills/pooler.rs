//! Behind PgBouncer in transaction mode, with its defaults except for what every PostgreSQL client needs.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rocket::futures::future::join_all;
use tempfile::TempDir;

use super::service_on;
use crate::support::{Database, Store, birthday, command, eventually, finish, name, own_uid};

struct PgBouncer {
    port: u16,
    child: Child,
    _directory: TempDir,
}

impl PgBouncer {
    /// Starts in front of the server that `url` names, with fewer sessions than the service has connections.
    fn start(url: &reqwest::Url) -> Self {
        let directory = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (host, server_port) = (url.host_str().unwrap(), url.port().unwrap());
        let (user, password) = (url.username(), url.password().unwrap());
        let settings = format!(
            "[databases]\n* = host={host} port={server_port} user={user} password={password}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 3\n\
             ignore_startup_parameters = extra_float_digits\n"
        );
        let file = directory.path().join("pgbouncer.ini");
        fs::write(&file, settings).unwrap();
        let mut pgbouncer = Command::new("pgbouncer");
        if own_uid() == 0 {
            pgbouncer.args(["-u", "nobody"]);
        }
        let child = pgbouncer.arg(file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("`just drills` installs it");
        Self { port, child, _directory: directory }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
#[ignore = "a drill: just drills"]
async fn behind_a_pooler_in_transaction_mode_no_request_and_no_migration_fails() {
    let database = Database::new(Store::PostgreSql);
    let mut url: reqwest::Url = database.url().parse().unwrap();
    let pooler = PgBouncer::start(&url);
    url.set_port(Some(pooler.port)).unwrap();
    let directory = TempDir::new().unwrap();
    let migrate = || {
        let mut migrate = command(directory.path());
        migrate.args(["migrate", "--wait", "20"]).env("ROCKET_DATABASES__BIRTHDAYS__URL", url.as_str());
        finish(migrate.env("ROCKET_DATABASES__BIRTHDAYS__POOLER", "true"))
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(migrate)).collect();
        for ended in all.into_iter().map(|thread| thread.join().unwrap()) {
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        }
    });
    assert_eq!(database.select("select count(*) from pg_locks where locktype = 'advisory'").await, 0);

    // Without the setting the pooler refuses the startup options.
    let service = service_on(&directory, url.as_str(), "");
    service.put("/hello/John", birthday("1990-05-17")).await.expect_problem(503, "unavailable");
    drop(service);

    let service = service_on(&directory, url.as_str(), "pooler=true,max_connections=8,query_timeout=3,connect_timeout=3,");
    eventually(Duration::from_secs(10), "it connects", async || service.get("/hello/John").await.status == 404).await;
    let path = |number| format!("/hello/{}", name("Name", number));
    for round in 0..30 {
        let requests = (0..16).map(async |number| match (round + number) % 4 {
            0 => (vec![204, 404], service.delete(&path(number)).await.status),
            1 => (vec![200, 404], service.get(&path(number)).await.status),
            _ => (vec![204], service.put(&path(number), birthday("1990-05-17")).await.status),
        });
        for (expected, status) in join_all(requests).await {
            assert!(expected.contains(&status), "{status} is none of {expected:?}");
        }
    }
}
