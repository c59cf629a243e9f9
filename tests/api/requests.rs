//! What every request must contain (RFC 9112), and conditional requests (RFC 9110, 13).

use crate::support::{Database, JSON, Store, TestApp, birthday, on_both_stores, raw};

on_both_stores![a_precondition_that_does_not_hold_changes_nothing, of_24_that_create_the_same_name_at_once_one_wins];

fn status(app: &TestApp, head: &str) -> u16 {
    let answer = raw::exchange(app.address, &format!("{head}Connection: close\r\n\r\n"));
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{head}: {answer}"))
}

#[tokio::test]
async fn host_is_there_once_and_valid_and_names_this_machine_where_only_it_can_connect() {
    let local = TestApp::start(Store::Sqlite);
    let public = TestApp::with(Database::new(Store::Sqlite), "[default]\npublic_url = \"https://birthday.example\"");
    for (head, on_loopback, elsewhere) in [
        ("GET /openapi.json HTTP/1.1\r\n", 400, 400),
        ("GET /openapi.json HTTP/1.0\r\n", 400, 400),
        ("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n", 400, 400),
        ("GET /openapi.json HTTP/1.1\r\nHost:\r\n", 400, 400),
        ("GET /openapi.json HTTP/1.1\r\nHost: a b\r\n", 400, 400),
        ("GET /openapi.json HTTP/1.1\r\nHost: a/b\r\n", 400, 400),
        ("GET /openapi.json HTTP/1.1\r\nHost: user@localhost\r\n", 400, 400),
        ("GET /openapi.json HTTP/1.1\r\nHost: localhost:port\r\n", 400, 400),
        ("GET /livez HTTP/1.0\r\n", 200, 200),
        ("GET /readyz HTTP/1.1\r\n", 200, 200),
        ("GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n", 400, 400),
        ("GET /livez HTTP/1.1\r\nHost: evil.example\r\n", 421, 200),
        ("GET /openapi.json HTTP/1.1\r\nHost: evil.example\r\n", 421, 200),
        ("GET /openapi.json HTTP/1.1\r\nHost: localhost.evil.example\r\n", 421, 200),
        ("GET /openapi.json HTTP/1.1\r\nHost: 10.0.0.1\r\n", 421, 200),
        ("GET http://evil.example/openapi.json HTTP/1.1\r\nHost: localhost\r\n", 421, 200),
        ("GET http://localhost/openapi.json HTTP/1.1\r\nHost: evil.example\r\n", 200, 200),
        ("GET /openapi.json HTTP/1.1\r\nHost: LOCALHOST:1\r\n", 200, 200),
        ("GET /openapi.json HTTP/1.1\r\nHost: 127.9.9.9\r\n", 200, 200),
        ("GET /openapi.json HTTP/1.1\r\nHost: [::1]:8000\r\n", 200, 200),
    ] {
        assert_eq!((status(&local, head), status(&public, head)), (on_loopback, elsewhere), "{head:?}");
    }
    let refused = raw::exchange(local.address, "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert!(refused.contains("/docs#misdirected-request"), "{refused}");
}

async fn a_precondition_that_does_not_hold_changes_nothing(app: TestApp) {
    for (method, known, header, value, status) in [
        ("PUT", false, "If-None-Match", "*", 204),
        ("PUT", true, "If-None-Match", "*", 412),
        ("PUT", true, "If-None-Match", "\"a\"", 204),
        ("PUT", false, "If-Match", "*", 412),
        ("PUT", true, "If-Match", "*", 204),
        ("PUT", true, "If-Match", "\"a\", \"b\"", 412),
        // A tag that is not ASCII (RFC 9110, 8.8.3)
        ("PUT", true, "If-Match", "\"é\"", 412),
        ("DELETE", true, "If-Match", "\"é\"", 412),
        ("DELETE", true, "If-Match", "\"a\"", 412),
        ("DELETE", true, "If-None-Match", "*", 412),
        ("DELETE", true, "If-Match", "*", 204),
        ("DELETE", false, "If-Match", "*", 404),
    ] {
        let what = format!("{method} {header}: {value}, known: {known}");
        app.delete("/hello/John").await;
        if known {
            app.save("John", "1990-11-24").await;
        }
        let answer = app.call(method, "/hello/John", &[JSON, (header, value)], birthday("1990-11-25")).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        if status == 412 {
            answer.expect_problem(412, "precondition-failed");
        }
        let days = match (method, status, known) {
            ("PUT", 204, _) => Some("2 day(s)"),
            ("DELETE", 204, _) | (_, _, false) => None,
            _ => Some("1 day(s)"),
        };
        let now = app.get("/hello/John").await;
        assert_eq!(now.status == 200, days.is_some(), "{what}");
        assert!(days.is_none_or(|days| now.body.contains(days)), "{what}: {}", now.body);
    }
    // Both together never hold.
    app.save("John", "1990-11-24").await;
    let both = [JSON, ("If-Match", "*"), ("If-None-Match", "*")];
    app.call("PUT", "/hello/John", &both, birthday("1990-11-25")).await.expect_problem(412, "precondition-failed");
    assert!(app.get("/hello/John").await.body.contains("1 day(s)"));
}

async fn of_24_that_create_the_same_name_at_once_one_wins(app: TestApp) {
    let create = |_| app.call("PUT", "/hello/John", &[JSON, ("If-None-Match", "*")], birthday("1990-05-17"));
    let answers = rocket::futures::future::join_all((0..24).map(create)).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1], statuses[23]), (204, 412, 412), "{statuses:?}");
}

/// Two lengths for one body: if proxy and service read different ones, a request can be smuggled.
#[tokio::test]
async fn a_body_with_two_lengths_is_refused_and_smuggles_nothing() {
    let app = TestApp::start(Store::Sqlite);
    app.save("Victim", "1990-05-17").await;
    let smuggled = "DELETE /hello/Victim HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let chunk = format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len());
    for (lengths, body) in [
        ("Content-Length: 4\r\nTransfer-Encoding: chunked", &chunk),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4", &chunk),
        ("Content-Length: 4\r\nContent-Length: 28", &birthday("1990-05-17")),
        ("Content-Length: +28", &birthday("1990-05-17")),
        ("Transfer-Encoding: identity, chunked, x", &birthday("1990-05-17")),
    ] {
        let head = format!(
            "PUT /hello/John HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n{lengths}\r\n\r\n"
        );
        let answers = raw::exchange(app.address, &format!("{head}{body}"));
        assert!(answers.starts_with("HTTP/1.1 400 ") && answers.matches("HTTP/1.1 ").count() == 1, "{lengths}: {answers}");
    }
    assert_eq!(app.get("/hello/Victim").await.status, 200, "the smuggled request was run");
    app.get("/hello/John").await.expect_problem(404, "unknown-username");
}
