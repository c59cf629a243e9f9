//! The description and the service agree: each documented answer can be had, and (as the client checks in every test) no other is.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use crate::support::{Answer, Database, Store, TestApp, birthday, command, operations, raw, routes};

/// Method, path template and status of what was answered.
#[derive(Default)]
struct Seen(BTreeSet<(String, String, u16)>);

impl Seen {
    fn note(&mut self, method: &str, template: &str, answer: &Answer) {
        self.0.insert((method.to_owned(), template.to_owned(), answer.status));
    }
}

const HELLO: &str = "/hello/{username}";
const CALENDAR: &str = "/hello/{username}/birthday.ics";

#[tokio::test]
async fn every_documented_answer_can_be_had_on_sqlite() {
    every_documented_answer_can_be_had(Store::Sqlite).await;
}

#[tokio::test]
async fn every_documented_answer_can_be_had_on_postgresql() {
    every_documented_answer_can_be_had(Store::PostgreSql).await;
}

async fn every_documented_answer_can_be_had(store: Store) {
    let quick = "[default.databases.birthdays]\nconnect_timeout = 2\nquery_timeout = 2\n[default.lifecycle]\ndrain = 2\n[default]\npublic_url = \"https://birthday.example\"";
    let mut app = TestApp::with(Database::new(store), quick);
    let mut seen = Seen::default();
    save_and_fail_to(&app, &mut seen).await;
    app.save("John", "1990-05-17").await;
    for (template, path) in [(HELLO, ""), (CALENDAR, "/birthday.ics")] {
        for name in ["John", "Nobody", "a1"] {
            seen.note("GET", template, &app.get(&format!("/hello/{name}{path}")).await);
        }
    }
    let again = app.request(Method::GET, "/hello/John/birthday.ics").header("If-None-Match", "*");
    seen.note("GET", CALENDAR, &app.send(again).await);
    for query in ["?username=John", "?username=a1", "?username=Nobody"] {
        seen.note("GET", "/", &app.get(&format!("/{query}")).await);
    }
    for (_, template) in operations().keys().filter(|(method, template)| method == "GET" && !template.contains('{')) {
        seen.note("GET", template, &app.get(template).await);
        let again = app.request(Method::GET, template).header("If-None-Match", "*");
        seen.note("GET", template, &app.send(again).await);
    }
    for name in ["John", "Nobody", "a1"] {
        seen.note("DELETE", HELLO, &app.delete(&format!("/hello/{name}")).await);
    }

    app.database.run("drop table birthdays");
    seen.note("GET", HELLO, &app.get("/hello/John").await);
    seen.note("GET", CALENDAR, &app.get("/hello/John/birthday.ics").await);
    seen.note("PUT", HELLO, &app.put("/hello/John", birthday("1990-05-17")).await);
    seen.note("DELETE", HELLO, &app.delete("/hello/John").await);
    seen.note("GET", "/", &app.get("/?username=John").await);
    seen.note("POST", "/save", &app.send(app.request(Method::POST, "/save").header("Content-Type", FORM).body(ENTRY)).await);

    app.begin_to_stop();
    while app.get("/readyz").await.status != 503 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    seen.note("GET", "/readyz", &app.get("/readyz").await);

    let documented = operations()
        .iter()
        .flat_map(|((method, template), answers)| answers.keys().map(move |status| (method.clone(), template.clone(), *status)));
    let documented: BTreeSet<_> = documented.collect();
    let missing: Vec<_> = documented.difference(&seen.0).collect();
    let surplus: Vec<_> = seen.0.difference(&documented).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "documented and not seen: {missing:?}; seen and not documented: {surplus:?}"
    );
}

const FORM: &str = "application/x-www-form-urlencoded";
const ENTRY: &str = "username=John&dateOfBirth=1990-05-17&tz=";

async fn save_and_fail_to(app: &TestApp, seen: &mut Seen) {
    for (path, kind, body) in [
        ("/hello/John", "application/json", birthday("1990-05-17")),
        ("/hello/a1", "application/json", birthday("1990-05-17")),
        ("/hello/John", "application/json", " ".repeat(1025)),
        ("/hello/John", "text/plain", birthday("1990-05-17")),
        ("/hello/John", FORM, birthday("1990-05-17")),
    ] {
        seen.note("PUT", HELLO, &app.send(app.request(Method::PUT, path).header("Content-Type", kind).body(body)).await);
    }
    let form = app.request(Method::DELETE, "/hello/John").header("Content-Type", FORM);
    seen.note("DELETE", HELLO, &app.send(form.body("a=b")).await);
    for (name, value) in [("Origin", "https://elsewhere.example.com"), ("If-Match", "\"tag\"")] {
        for method in [Method::PUT, Method::DELETE] {
            let what = method.to_string();
            let request = app.request(method, "/hello/John").header("Content-Type", "application/json").header(name, value);
            seen.note(&what, HELLO, &app.send(request.body(birthday("1990-05-17"))).await);
        }
    }
    for (kind, origin, entry) in [
        (FORM, "", ENTRY.to_owned()),
        (FORM, "", ENTRY.replace("1990", "2990")),
        (FORM, "https://elsewhere.example.com", ENTRY.to_owned()),
        (FORM, "", ENTRY.repeat(30)),
        ("text/plain", "", ENTRY.to_owned()),
    ] {
        let mut request = app.request(Method::POST, "/save").header("Content-Type", kind).body(entry);
        if !origin.is_empty() {
            request = request.header("Origin", origin);
        }
        seen.note("POST", "/save", &app.send(request).await);
    }
    let head = "PUT /hello/John HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n";
    let slow = raw::exchange(app.address, &format!("{head}{{\"dateOfBirth\":\"1990"));
    assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
    seen.0.insert(("PUT".to_owned(), HELLO.to_owned(), 408));
    let head = format!("POST /save HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: 50\r\n\r\n");
    let slow = raw::exchange(app.address, &format!("{head}{}", &ENTRY[..20]));
    assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
    seen.0.insert(("POST".to_owned(), "/save".to_owned(), 408));
}

#[tokio::test]
async fn the_service_the_command_and_the_library_give_the_same_document() {
    let app = TestApp::start(Store::Sqlite);
    let served = app.get("/openapi.json").await;
    let directory = tempfile::TempDir::new().unwrap();
    let printed = command(directory.path()).arg("openapi").output().unwrap();
    assert!(printed.status.success());
    assert_eq!(served.body, String::from_utf8(printed.stdout).unwrap());
    assert_eq!(served.body, birthday_api::http::openapi());
}

#[tokio::test]
async fn the_document_is_openapi_3_1_and_every_reference_in_it_resolves() {
    let text = birthday_api::http::openapi();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
    let references: Vec<&str> = text.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(!references.is_empty());
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn every_route_is_described_but_for_the_files_of_pages() {
    let described = operations();
    for route in routes().await.into_iter().filter(|route| !route.refuses) {
        let template = route.path.replace('<', "{").replace('>', "}");
        let of_a_page = template.starts_with("/docs/");
        assert!(of_a_page || described.contains_key(&(route.method.clone(), template)), "{} {}", route.method, route.path);
    }
}

/// Regression: nothing lists or exports people.
#[tokio::test]
async fn nothing_lists_people() {
    let app = TestApp::start(Store::Sqlite);
    app.save("Zebedee", "1987-05-17").await;
    for route in routes().await.into_iter().filter(|route| !route.refuses && route.method == "GET") {
        if route.path.contains("<username>") {
            continue;
        }
        for path in [route.path.replace("<file>", "docs.js"), format!("{}?limit=100&all=true&format=json", route.path)] {
            // An answer is a refusal too, as long as nobody's name is in it.
            let answer = app.send(app.request(Method::GET, &path)).await;
            assert!(!answer.body.contains("Zebedee") && !answer.body.contains("1987"), "{path}: {}", answer.body);
        }
    }
    for path in ["/hello", "/hello/", "/hello/*", "/hello/%25", "/hello/%", "/users", "/birthdays", "/birthday.ics", "/export"] {
        let answer = app.send(app.request(Method::GET, path)).await;
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
}
