//! The database fails in every way: 503 problems meanwhile, and back by itself.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, SqliteConnection, raw_sql};
use tempfile::TempDir;

use crate::support::{
    Database, Service, Store, TestApp, birthday, command, eventually, on_both_stores, postgresql, run_on_postgresql,
};

on_both_stores![without_its_table_every_operation_is_503_until_it_is_back];

const HEALS: Duration = Duration::from_secs(30);

async fn expect_unavailable(app: &TestApp) {
    app.get("/hello/John").await.expect_problem(503, "unavailable");
    app.get("/hello/John/birthday.ics").await.expect_problem(503, "unavailable");
    app.put("/hello/John", birthday("1990-11-28")).await.expect_problem(503, "unavailable");
    app.delete("/hello/John").await.expect_problem(503, "unavailable");
}

async fn without_its_table_every_operation_is_503_until_it_is_back(app: TestApp) {
    app.save("John", "1990-11-28").await;
    app.database.run("alter table birthdays rename to elsewhere");
    expect_unavailable(&app).await;
    app.database.run("alter table elsewhere rename to birthdays");
    eventually(HEALS, "it heals", async || app.get("/hello/John").await.status == 200).await;
    app.save("John", "1990-11-29").await;
}

/// PostgreSQL is not migrated at the start: this is what the first requests after a forgotten `migrate` meet.
#[tokio::test]
async fn a_missing_table_and_its_remedy_are_named_in_the_answer_and_in_the_log() {
    let directory = TempDir::new().unwrap();
    let database = Database::new(Store::PostgreSql);
    let service = Service::start(command(directory.path()).env("ROCKET_DATABASES__BIRTHDAYS__URL", database.url()));
    let saved = service.put("/hello/John", birthday("1990-11-28")).await;
    for answer in [saved, service.get("/hello/John").await, service.delete("/hello/John").await] {
        let problem = answer.expect_problem(503, "unavailable");
        assert!(problem["detail"].as_str().unwrap().contains("run birthday-api migrate"), "{problem}");
    }
    let line = service.line("run birthday-api migrate");
    assert!(line.contains("\"birthdays\" does not exist"), "{line}");
}

/// Regression: a database that is down is never told as the client's mistake, an unknown name, or a failure of the service.
#[tokio::test]
async fn while_postgresql_is_away_every_operation_is_503_and_its_return_is_noticed() {
    for signal in ["INT", "QUIT"] {
        let mut server = postgresql::Server::start(&[]);
        let app = TestApp::with(Database::on(server.url("postgres").parse().unwrap()), "");
        app.save("John", "1990-11-28").await;
        server.stop(signal);
        expect_unavailable(&app).await;
        let asked = Instant::now();
        expect_unavailable(&app).await;
        assert!(asked.elapsed() < Duration::from_secs(3), "known to be away, it is not waited for: {:?}", asked.elapsed());
        assert_eq!(app.get("/readyz").await.status, 200);
        let away = app.get("/metrics").await.body;
        assert!(away.contains("birthday_store_away{server=\"primary\"} 1\n"), "{away}");

        assert!(server.resume());
        eventually(HEALS, "it heals", async || app.get("/hello/John").await.status == 200).await;
        app.save("John", "1990-11-29").await;
        let back = app.get("/metrics").await.body;
        assert!(back.contains("birthday_store_away{server=\"primary\"} 0\n"), "{back}");
    }
}

/// Whether they serve, or are being made again after the last time: neither costs a request.
#[tokio::test]
async fn sessions_that_the_server_ends_fail_no_request() {
    let app = TestApp::start(Store::PostgreSql);
    app.save("John", "1990-11-28").await;
    let mut other = PgConnection::connect(&app.database.url()).await.unwrap();
    for _ in 0..15 {
        for _ in 0..2 {
            let others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
            let end = sqlx::AssertSqlSafe(format!("select pg_terminate_backend(pid) {others}"));
            raw_sql(end).execute(&mut other).await.unwrap();
            assert_eq!(app.get("/hello/John").await.status, 200);
        }
        app.save("John", "1990-11-28").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_save_that_was_acknowledged_survives_the_crash_of_postgresql() {
    let mut server = postgresql::Server::start(&["fsync=on"]);
    let app = TestApp::with(Database::on(server.url("postgres").parse().unwrap()), "");
    let (stop, acknowledged) = (AtomicBool::new(false), AtomicUsize::new(0));
    let name = |number: usize| number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect::<String>();
    let save = async {
        while !stop.load(Ordering::Relaxed) {
            let number = acknowledged.load(Ordering::Relaxed);
            if app.put(&format!("/hello/{}", name(number)), birthday("1990-11-28")).await.status != 204 {
                break;
            }
            acknowledged.store(number + 1, Ordering::Relaxed);
        }
    };
    let crash = async {
        eventually(HEALS, "some are saved", async || acknowledged.load(Ordering::Relaxed) > 50).await;
        let server = tokio::task::spawn_blocking(move || {
            server.stop("QUIT");
            server
        });
        let server = server.await.unwrap();
        stop.store(true, Ordering::Relaxed);
        server
    };
    let ((), mut server) = tokio::join!(save, crash);
    assert!(server.resume());
    eventually(HEALS, "it heals", async || app.get("/hello/a").await.status == 200).await;
    for number in 0..acknowledged.load(Ordering::Relaxed) {
        assert_eq!(app.get(&format!("/hello/{}", name(number))).await.status, 200, "save number {number} is lost");
    }
    // Before its server.
    drop(app);
}

/// After a failover the old primary comes back as a standby, and a service that stayed with it could not save.
#[tokio::test]
async fn a_server_that_has_become_read_only_is_given_up() {
    let server = postgresql::Server::start(&[]);
    let app = TestApp::with(Database::on(server.url("postgres").parse().unwrap()), "");
    app.save("John", "1990-11-28").await;
    let read_only = |change: &str| {
        run_on_postgresql(&server.url("postgres"), change);
        run_on_postgresql(&server.url("postgres"), "select pg_reload_conf()");
    };
    let saved = async || app.put("/hello/John", birthday("1990-11-28")).await.status;
    read_only("alter system set default_transaction_read_only = on");
    eventually(HEALS, "saves are refused", async || app.put("/hello/Mary", birthday("1990-11-28")).await.status == 503).await;
    assert_eq!(app.get("/hello/John").await.status, 200);
    read_only("alter system reset default_transaction_read_only");
    eventually(HEALS, "saves go on", async || saved().await == 204).await;
}

#[tokio::test]
async fn a_slow_database_fails_requests_at_the_deadline_and_holds_up_none_after_it() {
    let app =
        TestApp::with(Database::new(Store::PostgreSql), "[default.databases.birthdays]\nconnect_timeout = 1\nquery_timeout = 1");
    app.save("John", "1990-11-28").await;
    let lock = app.database.lock().await;
    let asked = Instant::now();
    let (read, written) = tokio::join!(app.get("/hello/John"), app.put("/hello/John", birthday("1990-11-29")));
    read.expect_problem(503, "unavailable");
    written.expect_problem(503, "unavailable");
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    lock.close().await.unwrap();
    eventually(HEALS, "it heals", async || app.get("/hello/John").await.status == 200).await;
    app.save("John", "1990-11-29").await;
}

#[tokio::test]
async fn an_sqlite_file_that_another_process_locks_is_503_for_saves_and_lookups_go_on() {
    let app = TestApp::with(Database::new(Store::Sqlite), "[default.databases.birthdays]\nquery_timeout = 0.5");
    app.save("John", "1990-11-28").await;
    let mut other = SqliteConnection::connect(&app.database.url()).await.unwrap();
    raw_sql("begin immediate").execute(&mut other).await.unwrap();
    app.put("/hello/John", birthday("1990-11-29")).await.expect_problem(503, "unavailable");
    assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 5 day(s)");
    raw_sql("rollback").execute(&mut other).await.unwrap();
    app.save("John", "1990-11-29").await;
}

#[tokio::test]
async fn the_database_holds_to_the_rules_of_the_domain_by_itself() {
    for store in [Store::Sqlite, Store::PostgreSql] {
        let database = Database::new(store).migrated();
        for (name, born) in [
            ("", "1990-01-01"),
            ("a1", "1990-01-01"),
            (&*"x".repeat(65), "1990-01-01"),
            ("a b", "1990-01-01"),
            ("John", "1990-02-30"),
        ] {
            let sql = format!("insert into birthdays (username, date_of_birth) values ('{name}', '{born}')");
            let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| database.run(&sql)));
            assert!(refused.is_err(), "{store:?} took {name:?} {born}");
        }
    }
}

#[tokio::test]
async fn what_several_connections_wait_for_ends_with_the_lock() {
    let app = TestApp::start(Store::PostgreSql);
    let mut lock = PgConnection::connect(&app.database.url()).await.unwrap();
    raw_sql("begin; lock table birthdays in access exclusive mode").execute(&mut lock).await.unwrap();
    let waiting = rocket::futures::future::join_all((0..20).map(|_| app.put("/hello/John", birthday("1990-11-28"))));
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        raw_sql("rollback").execute(&mut lock).await.unwrap();
    };
    let (answers, ()) = tokio::join!(waiting, release);
    assert!(answers.iter().all(|answer| answer.status == 204));
}
