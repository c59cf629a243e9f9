//! What is a username, and what is not.

use reqwest::Method;

use crate::support::{TestApp, birthday, on_both_stores, raw};

on_both_stores![
    names_of_1_to_64_letters_are_taken, anything_else_is_refused_alike_by_every_method, without_a_name_there_is_nothing,
    a_path_that_is_not_utf_8_is_a_problem,
];

async fn names_of_1_to_64_letters_are_taken(app: TestApp) {
    for name in ["J".to_owned(), "John".to_owned(), "x".repeat(64), "%4A%6f%68n".to_owned()] {
        app.save(&name, "1990-11-28").await;
        assert_eq!(app.get(&format!("/hello/{name}")).await.status, 200, "{name}");
    }
    assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 5 day(s)");
    assert_eq!(app.database.number("select count(*) from birthdays"), 3, "John was spelt twice");
}

async fn anything_else_is_refused_alike_by_every_method(app: TestApp) {
    let long = "x".repeat(65);
    for name in
        ["a1", "é", "%C3%A9", "a%0A", "%00", "%20", "a%20b", "a b", "a-b", "a_b", "a.b", "a%2Fb", "%25", "ａ", "--", &long]
    {
        let path = format!("/hello/{name}");
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let request = app.request(method, &path).header("Content-Type", "application/json").body(birthday("1990-05-17"));
            let problem = app.send(request).await.expect_problem(400, "invalid-username");
            assert!(problem["detail"].as_str().unwrap().contains("letters"), "{name:?}: {problem}");
        }
        app.get(&format!("{path}/birthday.ics")).await.expect_problem(400, "invalid-username");
        assert_eq!(app.send(app.request(Method::HEAD, &path)).await.status, 400, "{name:?}");
    }
    assert_eq!(app.database.number("select count(*) from birthdays"), 0);
}

async fn without_a_name_there_is_nothing(app: TestApp) {
    for path in ["/hello", "/hello/", "/hello//"] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let request = app.request(method, path).header("Content-Type", "application/json").body(birthday("1990-05-17"));
            app.send(request).await.expect_problem(404, "not-found");
        }
    }
    assert_eq!(app.database.number("select count(*) from birthdays"), 0);
}

async fn a_path_that_is_not_utf_8_is_a_problem(app: TestApp) {
    for path in ["/hello/%FF", "/hello/%C3%28", "/%FF"] {
        let answer = raw::exchange(app.address, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        let status = if path == "/%FF" { "HTTP/1.1 404" } else { "HTTP/1.1 400" };
        assert!(answer.starts_with(status), "{path}: {answer}");
        assert!(answer.contains("application/problem+json"), "{path}: {answer}");
    }
}
