//! The OpenAPI document matches the service: every documented answer occurs, and (as the client checks in every test) no other.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::{
    Database, FORM, JSON, Store, TestApp, birthday, command, directory, eventually, finish, operations, raw, routes,
};

const ENTRY: &str = "username=John&dateOfBirth=1990-05-17&tz=";

/// Sends every GET with a known, an unknown and an invalid name.
async fn get_all(app: &TestApp) {
    for (_, template) in operations().keys().filter(|(method, _)| method == "GET") {
        for name in ["John", "Nobody", "a1"] {
            app.get(&template.replace("{username}", name)).await;
        }
        app.get_with(&template.replace("{username}", "John"), ("If-None-Match", "*")).await;
    }
    for name in ["John", "Nobody", "a1"] {
        app.get(&format!("/?username={name}")).await;
    }
}

async fn save_and_fail_to(app: &TestApp) {
    let body = birthday("1990-05-17");
    let (text, elsewhere) = (("Content-Type", "text/plain"), ("Origin", "https://elsewhere.example.com"));
    for (path, headers, body) in [
        ("/hello/a1", &[JSON][..], &body),
        ("/hello/John", &[JSON], &" ".repeat(1025)),
        ("/hello/John", &[text], &body),
        ("/hello/John", &[JSON, elsewhere], &body),
        ("/hello/John", &[JSON, ("If-Match", "\"tag\"")], &body),
        ("/hello/John", &[JSON], &body),
    ] {
        app.call("PUT", path, headers, body.clone()).await;
    }
    for headers in [&[FORM][..], &[elsewhere], &[("If-Match", "\"tag\"")]] {
        app.call("DELETE", "/hello/John", headers, "a=b").await;
    }
    for (headers, entry) in [
        (&[FORM][..], ENTRY),
        (&[FORM], &ENTRY.replace("1990", "2990")),
        (&[FORM], &ENTRY.repeat(30)),
        (&[FORM, elsewhere], ENTRY),
        (&[text], ENTRY),
    ] {
        app.call("POST", "/save", headers, entry.to_owned()).await;
    }
    for (method, path, template, (_, kind)) in
        [("PUT", "/hello/John", "/hello/{username}", JSON), ("POST", "/save", "/save", FORM)]
    {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 50\r\n\r\n");
        let slow = raw::exchange(app.address, &format!("{head}{}", &ENTRY[..20]));
        assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
        app.seen.lock().unwrap().insert((method.to_owned(), template.to_owned(), 408));
    }
}

#[tokio::test]
async fn every_documented_answer_can_be_had() {
    let quick = "[default.databases.birthdays]\nconnect_timeout = 2\nquery_timeout = 2\n[default.lifecycle]\ndrain = 2\n[default]\npublic_url = \"https://birthday.example\"";
    let mut app = TestApp::with(Database::new(Store::Sqlite), quick);
    save_and_fail_to(&app).await;
    get_all(&app).await;
    for name in ["John", "Nobody", "a1"] {
        app.delete(&format!("/hello/{name}")).await;
    }
    app.database.run("drop table birthdays");
    get_all(&app).await;
    app.put("/hello/John", birthday("1990-05-17")).await;
    app.delete("/hello/John").await;
    app.call("POST", "/save", &[FORM], ENTRY).await;
    app.begin_to_stop();
    eventually(Duration::from_secs(2), "it drains", async || app.get("/readyz").await.status == 503).await;

    let documented = operations()
        .iter()
        .flat_map(|((method, template), answers)| answers.keys().map(|status| (method.clone(), template.clone(), *status)));
    let missing: Vec<_> = documented.collect::<BTreeSet<_>>().difference(&app.seen.lock().unwrap()).cloned().collect();
    assert!(missing.is_empty(), "documented and not seen: {missing:?}");
}

#[tokio::test]
async fn the_service_and_the_command_give_the_same_document_whatever_the_settings_are() {
    let served = TestApp::start(Store::Sqlite).get("/openapi.json").await.body;
    let printed = finish(command(directory().path()).arg("openapi").env("ROCKET_PORT", "abc"));
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    assert_eq!(served, printed.stdout);
}

#[tokio::test]
async fn every_route_is_described_but_for_the_files_of_pages() {
    for (method, path) in routes().await {
        let operation = (method, path.replace('<', "{").replace('>', "}"));
        assert!(operation.1.starts_with("/docs/") || operations().contains_key(&operation), "{operation:?}");
    }
}

/// Regression: nothing lists or exports people.
#[tokio::test]
async fn nothing_lists_people() {
    let app = TestApp::start(Store::Sqlite);
    app.save("Zebedee", "1987-05-17").await;
    for (_, path) in routes().await.into_iter().filter(|(method, path)| method == "GET" && !path.contains("<username>")) {
        for path in [path.replace("<file>", "docs.js"), format!("{path}?limit=100&all=true&format=json")] {
            // Any answer will do, as long as it contains no saved name or date. With the dash, because a duration of the metrics may
            // contain the digits of the year.
            let answer = app.get(&path).await;
            assert!(!answer.body.contains("Zebedee") && !answer.body.contains("1987-"), "{path}: {}", answer.body);
        }
    }
}
