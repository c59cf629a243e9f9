//! Which bodies `PUT` accepts. Whatever is wrong with a body, the answer is a problem and nothing is saved.

use crate::support::{TestApp, birthday, on_both_stores, raw};

on_both_stores![
    a_body_that_is_not_that_one_object_is_refused, json_is_taken_in_every_spelling_and_no_other_content_type,
    a_body_of_1024_bytes_is_taken_and_one_more_is_too_large, the_username_is_judged_before_the_body,
];

async fn a_body_that_is_not_that_one_object_is_refused(app: TestApp) {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    for body in [
        "", "null", "1", "\"2000-01-02\"", "[\"2000-01-02\"]", "{}", "{", "{\"dateOfBirth\"", "{\"dateOfBirth\":null}",
        "{\"dateOfBirth\":20000102}", "{\"dateOfBirth\":[\"2000-01-02\"]}", "{\"dateOfBirth\":{\"date\":\"2000-01-02\"}}",
        "{\"data\":{\"dateOfBirth\":\"2000-01-02\"}}", "{\"dateOfBirth\":\"2000-01-02\",\"dateOfBirth\":\"2000-01-02\"}",
        "{\"dateOfBirth\":\"2000-01-02\",\"name\":\"x\"}", "{\"dateofbirth\":\"2000-01-02\"}",
        "{\"dateOfBirth\":\"2000-01-02\"} x", "{\"dateOfBirth\":\"2000-01-02\"}{}", "{\"dateOfBirth\":\"2000-01-02\",}",
        "{'dateOfBirth':'2000-01-02'}", "\u{feff}{\"dateOfBirth\":\"2000-01-02\"}", "{\"dateOfBirth\":\"2000-01-02\"}\u{0}",
        "{\"dateOfBirth\":\"\\ud800\"}", "dateOfBirth=2000-01-02", &deep,
    ] {
        app.put("/hello/John", body.to_owned()).await.expect_problem(400, "invalid-body");
    }
    app.put("/hello/John", b"{\"dateOfBirth\":\"2000-01-0\xff\"}".to_vec()).await.expect_problem(400, "invalid-body");
    app.get("/hello/John").await.expect_problem(404, "unknown-username");
}

async fn json_is_taken_in_every_spelling_and_no_other_content_type(app: TestApp) {
    const JSON: &str = "application/json";
    let plain = birthday("1990-05-17");
    for (kind, coding, body) in [
        ("application/json; charset=utf-8", "identity", &*plain),
        ("Application/JSON", "identity", &plain),
        (JSON, "identity", " {\"dateOfBirth\" : \"1990-05-17\"}\r\n"),
        (JSON, "identity", "{\"dateOf\\u0042irth\":\"1990-05-1\\u0037\"}"),
    ] {
        let saved =
            app.call("PUT", "/hello/John", &[("Content-Type", kind), ("Content-Encoding", coding)], body.to_owned()).await;
        assert_eq!(saved.status, 204, "{kind} {body}");
    }
    for kind in ["text/plain", "application/jsonp", "text/json", "application/vnd.api+json", "*/*", "json"] {
        let refused = app.call("PUT", "/hello/Mary", &[("Content-Type", kind)], plain.clone()).await;
        refused.expect_problem(415, "unsupported-media-type");
    }
    app.call("PUT", "/hello/Mary", &[], plain.clone()).await.expect_problem(415, "unsupported-media-type");
    let coded = app.call("PUT", "/hello/Mary", &[("Content-Type", JSON), ("Content-Encoding", "gzip")], plain).await;
    coded.expect_problem(415, "unsupported-coding");
    app.get("/hello/Mary").await.expect_problem(404, "unknown-username");
}

async fn a_body_of_1024_bytes_is_taken_and_one_more_is_too_large(app: TestApp) {
    let padded = |length: usize| format!("{:length$}", birthday("1990-05-17"));
    assert_eq!(app.put("/hello/John", padded(1024)).await.status, 204);
    for length in [1025, 60_000] {
        app.put("/hello/Mary", padded(length)).await.expect_problem(413, "too-large");
    }
    let chunked = |body: &str| {
        let head = "PUT /hello/Mary HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
        raw::exchange(app.address, &format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()))
    };
    assert!(chunked(&padded(2000)).starts_with("HTTP/1.1 413 "));
    app.get("/hello/Mary").await.expect_problem(404, "unknown-username");
    assert!(chunked(&padded(28)).starts_with("HTTP/1.1 204 "));
}

async fn the_username_is_judged_before_the_body(app: TestApp) {
    app.put("/hello/a1?tz=nowhere", "nonsense").await.expect_problem(400, "invalid-username");
    app.put("/hello/John?tz=nowhere", "nonsense").await.expect_problem(400, "invalid-time-zone");
}
