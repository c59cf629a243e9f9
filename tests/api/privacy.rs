//! Logs never contain names, dates or bodies.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Database, Service, Store, birthday, command, raw};

/// Sends requests of every kind, each with something that must not be logged; returns the whole log.
async fn log_of_a_life(database: &Database, format: &str) -> String {
    let mut service = Service::start(
        command(Path::new("/"))
            .env("ROCKET_DATABASES", format!("{{birthdays={{url={:?},migrate=true}}}}", database.url()))
            .env("ROCKET_TELEMETRY", format!("{{format={format:?},access_log=true}}"))
            .env("ROCKET_LIFECYCLE", "{drain=0}"),
    );
    service.save("Zebedee", "1987-05-17").await;
    service.message("Zebedee").await;
    service.get("/hello/Zebedee/birthday.ics?tz=Asia/Kathmandu").await;
    service.get("/hello/Zebedee99").await.expect_problem(400, "invalid-username");
    service.get("/hello/Zebedee?tz=Kathmandu").await.expect_problem(400, "invalid-time-zone");
    service.get("/Zebedee/Zebedee").await.expect_problem(404, "not-found");
    service.call("PATCH", "/hello/Zebedee", &[], "").await.expect_problem(405, "method-not-allowed");
    service.put("/hello/Zebedee", birthday("1987-02-31")).await.expect_problem(400, "invalid-date-of-birth");
    service.put("/hello/Zebedee", "{\"Quagga\":1}").await.expect_problem(400, "invalid-body");
    service.put("/hello/Zebedee", " Quagga ".repeat(500)).await.expect_problem(413, "too-large");
    raw::exchange(service.address, "GET /hello/Zebedee HTTP/9.9\r\nQuagga\r\n\r\n");
    raw::exchange(service.address, "BREW /hello/Zebedee?Quagga HTTP/1.1\r\nHost: Quagga\r\nConnection: close\r\n\r\n");
    // The database quotes the row that it refuses, and the statement that it cannot run.
    database.refuse("Zebedeee");
    let refused = raw::put(service.address, "Zebedeee", "1987-05-17");
    assert!(refused.starts_with("HTTP/1.1 500 "), "{refused}");
    assert_eq!(service.delete("/hello/Zebedee").await.status, 204);
    database.run("drop table birthdays");
    service.get("/hello/Zebedee").await.expect_problem(503, "unavailable");
    service.put("/hello/Zebedee", birthday("1987-05-17")).await.expect_problem(503, "unavailable");
    service.signal(Signal::TERM);
    assert!(service.ended(Duration::from_secs(30)).success());
    service.line("stopped");
    service.log()
}

fn expect_private(log: &str) {
    // With the dash, which no duration, port or fraction of a second has after these digits.
    for secret in ["Zebe", "1987-", "Quagga", "Kathmandu", "dateOfBirth"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[tokio::test]
async fn no_names_dates_or_bodies_are_logged_as_text_on_sqlite() {
    let log = log_of_a_life(&Database::new(Store::Sqlite), "text").await;
    expect_private(&log);
    assert!(log.contains("route=\"/hello/<username>\" status=204"), "requests are logged by route: {log}");
    assert!(log.contains("route=\"unmatched\" status=404"), "{log}");
    assert!(log.contains("the database refused a row"), "failures are logged: {log}");
}

#[tokio::test]
async fn no_names_dates_or_bodies_are_logged_as_json_on_postgresql() {
    let database = Database::new(Store::PostgreSql);
    let log = log_of_a_life(&database, "json").await;
    expect_private(&log);
    let url: reqwest::Url = database.url().parse().unwrap();
    let named = format!("database postgres://{}:{}{},", url.host_str().unwrap(), url.port().unwrap(), url.path());
    assert!(log.contains(&named) && !log.contains(url.password().unwrap()), "{named} without user and password: {log}");
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    assert!(lines.iter().any(|line| line["route"] == "/hello/<username>" && line["status"] == 204), "{log}");
    assert!(lines.iter().any(|line| line["message"].as_str().is_some_and(|text| text.contains("refused a row"))), "{log}");
}
