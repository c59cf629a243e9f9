//! Valid and invalid usernames in a path. (The unit tests in src/birthday cover the rule itself.)

use crate::support::{JSON, TestApp, birthday, on_both_stores, raw};

on_both_stores![names_of_1_to_64_letters_are_taken, anything_else_is_refused_alike_by_every_method];

async fn names_of_1_to_64_letters_are_taken(app: TestApp) {
    for name in ["J", "John", "livez", &"x".repeat(64), "%4A%6f%68n"] {
        app.save(name, "1990-11-28").await;
        assert_eq!(app.get(&format!("/hello/{name}")).await.status, 200, "{name}");
    }
    assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 5 day(s)");
    assert_eq!(app.database.number("select count(*) from birthdays"), 4, "John was spelt twice");
}

async fn anything_else_is_refused_alike_by_every_method(app: TestApp) {
    let long = "x".repeat(65);
    for name in ["a1", "%C3%A9", "a%0A", "%00", "a%20b", "a b", "a.b", "a%2Fb", "%25", "ａ", &long] {
        let path = format!("/hello/{name}");
        for method in ["GET", "PUT", "DELETE"] {
            let problem = app.call(method, &path, &[JSON], birthday("1990-05-17")).await.expect_problem(400, "invalid-username");
            assert!(problem["detail"].as_str().unwrap().contains("letters"), "{name:?}: {problem}");
        }
        app.get(&format!("{path}/birthday.ics")).await.expect_problem(400, "invalid-username");
        assert_eq!(app.call("HEAD", &path, &[], "").await.status, 400, "{name:?}");
    }
    for path in ["/hello", "/hello/", "/hello//"] {
        app.put(path, birthday("1990-05-17")).await.expect_problem(404, "not-found");
    }
    for (path, status) in [("/hello/%FF", "HTTP/1.1 400"), ("/hello/%C3%28", "HTTP/1.1 400"), ("/%FF", "HTTP/1.1 404")] {
        let answer = raw::exchange(app.address, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with(status) && answer.contains("application/problem+json"), "{path}: {answer}");
    }
    assert_eq!(app.database.number("select count(*) from birthdays"), 0);
}
