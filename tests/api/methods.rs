//! Which methods each path takes: the routes themselves are asked, so that a new one cannot be forgotten here.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;

use crate::support::{Store, TestApp, birthday, on_both_stores, raw, routes};

on_both_stores![no_form_can_override_a_method];

/// Concrete paths with the methods that they take; `HEAD` goes with `GET`.
async fn resources() -> BTreeMap<String, BTreeSet<String>> {
    let mut resources: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for route in routes().await.into_iter().filter(|route| !route.refuses) {
        let path = route.path.replace("<username>", "John").replace("<file>", "docs.js");
        let methods = resources.entry(path).or_default();
        if route.method == "GET" {
            methods.insert("HEAD".to_owned());
        }
        methods.insert(route.method);
    }
    assert!(resources.contains_key("/hello/John") && resources.len() >= 7, "{resources:?}");
    resources
}

#[tokio::test]
async fn any_other_method_is_405_with_the_methods_that_are_allowed() {
    let app = TestApp::start(Store::Sqlite);
    app.save("John", "1990-05-17").await;
    for (path, taken) in resources().await {
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
            if taken.contains(method) {
                continue;
            }
            let answer = app.send(app.request(method.parse().unwrap(), &path)).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            let allowed: BTreeSet<String> = answer.header("allow").expect("an Allow").split(", ").map(str::to_owned).collect();
            assert_eq!(allowed, taken, "{method} {path}");
            if method != "HEAD" {
                answer.expect_problem(405, "method-not-allowed");
            }
        }
    }
    assert_eq!(app.message("John").await.len(), "Hello, John! Your birthday is in 175 day(s)".len(), "John is untouched");
}

#[tokio::test]
async fn head_is_what_get_is_without_the_body() {
    let app = TestApp::start(Store::Sqlite);
    app.save("John", "1990-05-17").await;
    for path in resources().await.into_iter().filter(|(_, taken)| taken.contains("GET")).map(|(path, _)| path) {
        let (get, head) = (app.get(&path).await, app.send(app.request(Method::HEAD, &path)).await);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert_eq!(head.header("birthday-today"), get.header("birthday-today"), "{path}");
        if path != "/metrics" {
            assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        }
    }
    let unknown = app.send(app.request(Method::HEAD, "/hello/Nobody")).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_not_found_with_any_method() {
    let app = TestApp::start(Store::Sqlite);
    for path in ["/nowhere", "/hello", "/hello/John/birthday", "/hello/John/birthday.ics/x", "/livez/x", "/favicon.svg/x"] {
        for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
            app.send(app.request(method, path)).await.expect_problem(404, "not-found");
        }
    }
}

/// Any web page could have its visitors send such a form.
async fn no_form_can_override_a_method(app: TestApp) {
    app.save("John", "1990-11-28").await;
    let spelt = app.request(Method::POST, "/hello/John").header("Content-Type", "application/x-www-form-urlencoded");
    app.send(spelt.body("%5Fmethod=put")).await.expect_problem(405, "method-not-allowed");
    for over in ["delete", "DELETE", "put", "get", "head", "patch", "options"] {
        for (method, kind) in
            [("POST", "application/x-www-form-urlencoded"), ("POST", "application/x-www-form-urlencoded; charset=utf-8")]
        {
            let form = format!("_method={over}&dateOfBirth=1990-01-01");
            let answer =
                app.send(app.request(method.parse().unwrap(), "/hello/John").header("Content-Type", kind).body(form)).await;
            answer.expect_problem(405, "method-not-allowed");
        }
    }
    for method in [Method::PUT, Method::DELETE] {
        let request = app.request(method, "/hello/John").header("Content-Type", "application/x-www-form-urlencoded");
        app.send(request.body(birthday("1990-01-01"))).await.expect_problem(415, "unsupported-media-type");
    }
    // A form does not make a POST of another method either.
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE, Method::OPTIONS] {
        let request = app.request(method, "/save").header("Content-Type", "application/x-www-form-urlencoded");
        let form = request.body("_method=post&username=John&dateOfBirth=1990-01-01&tz=");
        app.send(form).await.expect_problem(405, "method-not-allowed");
    }
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\ndelete\r\n--x--\r\n";
    let request = app.request(Method::POST, "/hello/John").header("Content-Type", "multipart/form-data; boundary=x");
    app.send(request.body(multipart)).await.expect_problem(405, "method-not-allowed");
    let header = app.request(Method::POST, "/hello/John").header("X-HTTP-Method-Override", "DELETE");
    app.send(header).await.expect_problem(405, "method-not-allowed");
    app.send(app.request(Method::POST, "/hello/John?_method=delete")).await.expect_problem(405, "method-not-allowed");
    assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 5 day(s)");
}

#[tokio::test]
async fn a_method_that_nobody_knows_is_a_problem() {
    let app = TestApp::start(Store::Sqlite);
    for line in ["BREW /hello/John HTTP/1.1", "CONNECT localhost:80 HTTP/1.1"] {
        let answer = raw::exchange(app.address, &format!("{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{line}: {answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{line}: {answer}");
    }
}
