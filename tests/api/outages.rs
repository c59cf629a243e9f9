//! The database fails in every way: the service answers 503 problems meanwhile, and recovers by itself.

use std::time::{Duration, Instant};

use crate::support::{Database, HEALS, Store, TestApp, birthday, eventually, postgresql};

async fn expect_unavailable(app: &TestApp) {
    app.get("/hello/John").await.expect_problem(503, "unavailable");
    app.get("/hello/John/birthday.ics").await.expect_problem(503, "unavailable");
    app.put("/hello/John", birthday("1990-11-28")).await.expect_problem(503, "unavailable");
    app.delete("/hello/John").await.expect_problem(503, "unavailable");
}

/// Regression: an outage of the database is never reported as the client's mistake, an unknown name, or a failure of the service.
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
        let none = async || app.get("/metrics").await.body.contains("birthday_store_connections{server=\"primary\"} 0\n");
        eventually(HEALS, "no connection is counted as open", none).await;

        assert!(server.resume());
        eventually(HEALS, "it heals", async || app.get("/hello/John").await.status == 200).await;
        app.save("John", "1990-11-29").await;
        let back = app.get("/metrics").await.body;
        assert!(back.contains("birthday_store_away{server=\"primary\"} 0\n"), "{back}");
    }
}

/// No request fails, whether sessions end while they are in use or while they are being replaced after the last time.
#[tokio::test]
async fn sessions_that_the_server_ends_fail_no_request() {
    let app = TestApp::start(Store::PostgreSql);
    app.save("John", "1990-11-28").await;
    let mut other = app.database.connect().await;
    for _ in 0..15 {
        for _ in 0..2 {
            let others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
            other.run(&format!("select pg_terminate_backend(pid) {others}")).await;
            assert_eq!(app.get("/hello/John").await.status, 200);
        }
        app.save("John", "1990-11-28").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
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
    drop(lock);
    eventually(HEALS, "it heals", async || app.get("/hello/John").await.status == 200).await;
    app.save("John", "1990-11-29").await;
}

#[tokio::test]
async fn the_database_holds_to_the_rules_of_the_domain_by_itself() {
    for store in [Store::Sqlite, Store::PostgreSql] {
        let database = Database::new(store).migrated();
        let long = format!("'{}', '1990-01-01'", "x".repeat(65));
        for row in ["'', '1990-01-01'", "'a1', '1990-01-01'", "'a b', '1990-01-01'", "'John', '1990-02-30'", &long] {
            let sql = format!("insert into birthdays (username, date_of_birth) values ({row})");
            let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| database.run(&sql)));
            assert!(refused.is_err(), "{store:?} took {row}");
        }
    }
}
