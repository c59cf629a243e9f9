//! While the primary is away, lookups go to the replica.

use rocket::futures::future::join_all;

use crate::support::{Database, HEALS, Store, TestApp, birthday, eventually, postgresql};

#[tokio::test]
async fn lookups_fall_back_to_the_replica_and_return_to_the_primary_by_themselves() {
    let mut primary = postgresql::Server::start(&[]);
    // A separate database with older data stands in for the replica.
    let replica = Database::new(Store::PostgreSql).migrated();
    replica.run("insert into birthdays values ('John', '1990-11-24')");
    let settings = format!("[default.databases.birthdays]\nreplica_url = {:?}", replica.url());
    let app = TestApp::with(Database::on(primary.url("postgres").parse().unwrap()), &settings);
    app.save("John", "1990-11-28").await;
    app.save("Mary", "1990-11-28").await;
    let greeted = app.get("/hello/John").await;
    assert_eq!(
        (greeted.header("birthday-source"), greeted.json()["message"].as_str()),
        (None, Some("Hello, John! Your birthday is in 5 day(s)"))
    );

    primary.stop("QUIT");
    for path in ["/hello/John", "/hello/John/birthday.ics"] {
        let answer = app.get(path).await;
        assert_eq!((answer.status, answer.header("birthday-source")), (200, Some("replica")), "{path}: {}", answer.body);
    }
    // At once, so that they share a statement.
    for message in join_all((0..5).map(|_| app.message("John"))).await {
        assert_eq!(message, "Hello, John! Your birthday is in 1 day(s)");
    }
    // It may lag: the primary may know Mary.
    app.get("/hello/Mary").await.expect_problem(503, "unavailable");
    app.put("/hello/John", birthday("1990-11-29")).await.expect_problem(503, "unavailable");
    app.delete("/hello/John").await.expect_problem(503, "unavailable");
    let metrics = app.get("/metrics").await.body;
    assert!(metrics.contains("birthday_store_replica_answers_total 7\n"), "{metrics}");

    assert!(primary.resume());
    eventually(HEALS, "the primary answers", async || app.get("/hello/John").await.header("birthday-source").is_none()).await;
    assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 5 day(s)");
    assert_eq!(app.get("/hello/Mary").await.status, 200);
    app.save("John", "1990-11-29").await;
    let left = async || app.get("/metrics").await.body.contains("birthday_store_connections{server=\"replica\"} 0\n");
    eventually(HEALS, "no connection to the replica grows stale until the next outage", left).await;
}

#[tokio::test]
async fn a_replica_that_is_away_too_leaves_503() {
    let mut primary = postgresql::Server::start(&[]);
    let settings = "[default.databases.birthdays]\nreplica_url = \"postgres://nobody:pass@127.0.0.1:1/nowhere\"";
    let app = TestApp::with(Database::on(primary.url("postgres").parse().unwrap()), settings);
    app.save("John", "1990-11-28").await;
    assert_eq!(app.get("/hello/John").await.header("birthday-source"), None);
    primary.stop("QUIT");
    app.get("/hello/John").await.expect_problem(503, "unavailable");
    assert!(primary.resume());
    eventually(HEALS, "it heals", async || app.get("/hello/John").await.status == 200).await;
}
