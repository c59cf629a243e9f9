//! What `PUT` takes as a body. Whatever is wrong with one, the answer is a problem and nothing is saved.

use reqwest::Method;

use crate::support::{TestApp, birthday, on_both_stores, raw};

on_both_stores![
    a_body_that_is_not_that_one_object_is_refused, a_content_type_other_than_json_is_unsupported,
    json_with_parameters_and_in_capitals_is_json, a_body_of_1024_bytes_is_taken_and_one_more_is_too_large,
    a_chunked_body_is_limited_too, the_username_is_judged_before_the_body,
];

async fn a_body_that_is_not_that_one_object_is_refused(app: TestApp) {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    for body in [
        "", " ", "\n", "null", "true", "1", "\"2000-01-02\"", "[]", "[\"2000-01-02\"]", "{}", "{", "}", "{\"dateOfBirth\"",
        "{\"dateOfBirth\":}", "[{\"dateOfBirth\":\"2000-01-02\"}]", "{\"dateOfBirth\":null}", "{\"dateOfBirth\":20000102}",
        "{\"dateOfBirth\":true}", "{\"dateOfBirth\":[\"2000-01-02\"]}", "{\"dateOfBirth\":{\"date\":\"2000-01-02\"}}",
        "{\"data\":{\"dateOfBirth\":\"2000-01-02\"}}", "{\"dateOfBirth\":\"2000-01-02\",\"dateOfBirth\":\"2000-01-02\"}",
        "{\"dateOfBirth\":\"2000-01-02\",\"name\":\"x\"}", "{\"dateofbirth\":\"2000-01-02\"}",
        "{\"date_of_birth\":\"2000-01-02\"}", "{\"dateOfBirth\":\"2000-01-02\"} x", "{\"dateOfBirth\":\"2000-01-02\"}{}",
        "{\"dateOfBirth\":\"2000-01-02\",}", "{'dateOfBirth':'2000-01-02'}", "{dateOfBirth:\"2000-01-02\"}",
        "\u{feff}{\"dateOfBirth\":\"2000-01-02\"}", "{\"dateOfBirth\":\"2000-01-02\"}\u{0}", "{\"dateOfBirth\":\"\\ud800\"}",
        "dateOfBirth=2000-01-02", &deep,
    ] {
        app.put("/hello/John", body.to_owned()).await.expect_problem(400, "invalid-body");
    }
    app.put("/hello/John", b"{\"dateOfBirth\":\"2000-01-0\xff\"}".to_vec()).await.expect_problem(400, "invalid-body");
    app.get("/hello/John").await.expect_problem(404, "unknown-username");
}

async fn a_content_type_other_than_json_is_unsupported(app: TestApp) {
    for kind in [
        "text/plain", "application/jsonp", "application/xml", "text/json", "application/vnd.api+json", "*/*",
        "multipart/form-data", "json",
    ] {
        let request = app.request(Method::PUT, "/hello/John").header("Content-Type", kind).body(birthday("1990-05-17"));
        app.send(request).await.expect_problem(415, "unsupported-media-type");
    }
    for (coding, status) in [("gzip", 415), ("br", 415), ("identity", 204)] {
        let request = app
            .request(Method::PUT, "/hello/Coded")
            .header("Content-Type", "application/json")
            .header("Content-Encoding", coding);
        assert_eq!(app.send(request.body(birthday("1990-05-17"))).await.status, status, "{coding}");
    }
    let without = app.request(Method::PUT, "/hello/John").body(birthday("1990-05-17"));
    app.send(without).await.expect_problem(415, "unsupported-media-type");
    app.get("/hello/John").await.expect_problem(404, "unknown-username");
}

async fn json_with_parameters_and_in_capitals_is_json(app: TestApp) {
    for kind in ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"] {
        let request = app.request(Method::PUT, "/hello/John").header("Content-Type", kind).body(birthday("1990-05-17"));
        assert_eq!(app.send(request).await.status, 204, "{kind}");
    }
    for body in [" {\"dateOfBirth\" : \"1990-05-17\"}\r\n", "{\"dateOf\\u0042irth\":\"1990-05-1\\u0037\"}"] {
        assert_eq!(app.put("/hello/John", body).await.status, 204, "{body}");
    }
}

async fn a_body_of_1024_bytes_is_taken_and_one_more_is_too_large(app: TestApp) {
    let body = birthday("1990-05-17");
    let padded = |length: usize| body.clone() + &" ".repeat(length - body.len());
    assert_eq!(app.put("/hello/John", padded(1024)).await.status, 204);
    for length in [1025, 4096, 65_536] {
        app.put("/hello/Mary", padded(length)).await.expect_problem(413, "too-large");
    }
    app.get("/hello/Mary").await.expect_problem(404, "unknown-username");
}

async fn a_chunked_body_is_limited_too(app: TestApp) {
    let chunked = |body: &str| {
        let head = "PUT /hello/John HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
        raw::exchange(app.address, &format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()))
    };
    assert!(chunked(&birthday("1990-05-17")).starts_with("HTTP/1.1 204 "));
    assert!(chunked(&" ".repeat(2000)).starts_with("HTTP/1.1 413 "));
}

async fn the_username_is_judged_before_the_body(app: TestApp) {
    app.put("/hello/a1?tz=nowhere", "nonsense").await.expect_problem(400, "invalid-username");
    app.put("/hello/John?tz=nowhere", "nonsense").await.expect_problem(400, "invalid-time-zone");
}
