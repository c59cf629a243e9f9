//! Which methods each path supports. The list comes from the mounted routes, so that a new route is always covered.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{FORM, Store, TestApp, birthday, raw, routes};

/// Concrete paths with the methods that they support; `GET` includes `HEAD`.
async fn resources() -> BTreeMap<String, BTreeSet<String>> {
    let mut resources: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (method, template) in routes().await {
        let path = template.replace("<username>", "John").replace("<file>", "docs.js");
        let methods = resources.entry(path).or_default();
        if method == "GET" {
            methods.insert("HEAD".to_owned());
        }
        methods.insert(method);
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
            let answer = app.call(method, &path, &[], "").await;
            assert_eq!(answer.status, 405, "{method} {path}");
            let allowed: BTreeSet<String> = answer.header("allow").expect("an Allow").split(", ").map(str::to_owned).collect();
            assert_eq!(allowed, taken, "{method} {path}");
            if method != "HEAD" {
                answer.expect_problem(405, "method-not-allowed");
            }
        }
    }
    assert_eq!(app.get("/hello/John").await.status, 200, "John is untouched");
}

#[tokio::test]
async fn head_is_what_get_is_without_the_body() {
    let app = TestApp::start(Store::Sqlite);
    app.save("John", "1990-05-17").await;
    for path in resources().await.into_iter().filter(|(_, taken)| taken.contains("GET")).map(|(path, _)| path) {
        let (get, head) = (app.get(&path).await, app.call("HEAD", &path, &[], "").await);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        for name in ["content-type", "birthday-today", "content-length"] {
            // Metrics change between requests.
            assert!(head.header(name) == get.header(name) || (path == "/metrics" && name == "content-length"), "{path} {name}");
        }
    }
    assert_eq!(app.call("HEAD", "/hello/Nobody", &[], "").await.status, 404);
}

#[tokio::test]
async fn a_path_or_a_method_that_does_not_exist_is_a_problem() {
    let app = TestApp::start(Store::Sqlite);
    for path in ["/nowhere", "/hello", "/hello/John/birthday", "/hello/John/birthday.ics/x", "/livez/x", "/favicon.svg/x"] {
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH"] {
            app.call(method, path, &[], "").await.expect_problem(404, "not-found");
        }
    }
    for line in ["BREW /hello/John HTTP/1.1", "CONNECT localhost:80 HTTP/1.1"] {
        let answer = raw::exchange(app.address, &format!("{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{line}: {answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{line}: {answer}");
    }
}

/// Any web page could make its visitors send such a form.
#[tokio::test]
async fn no_form_can_override_a_method() {
    let app = TestApp::start(Store::Sqlite);
    app.save("John", "1990-11-28").await;
    let charset = (FORM.0, "application/x-www-form-urlencoded; charset=utf-8");
    let multipart = (FORM.0, "multipart/form-data; boundary=x");
    let part = "--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\ndelete\r\n--x--\r\n";
    for (query, headers, form) in [
        ("", &[FORM][..], "%5Fmethod=put"),
        ("", &[FORM], "_method=delete&dateOfBirth=1990-01-01"),
        ("", &[charset], "_method=DELETE&dateOfBirth=1990-01-01"),
        ("", &[FORM], "_method=put&dateOfBirth=1990-01-01"),
        ("", &[FORM], "_method=get"),
        ("", &[multipart], part),
        ("", &[("X-HTTP-Method-Override", "DELETE")], ""),
        ("?_method=delete", &[], ""),
    ] {
        let answer = app.call("POST", &format!("/hello/John{query}"), headers, form).await;
        answer.expect_problem(405, "method-not-allowed");
    }
    for method in ["PUT", "DELETE"] {
        let answer = app.call(method, "/hello/John", &[FORM], birthday("1990-01-01")).await;
        answer.expect_problem(415, "unsupported-media-type");
    }
    // Nor does a form turn another method into a POST.
    for method in ["GET", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"] {
        let answer = app.call(method, "/save", &[FORM], "_method=post&username=John&dateOfBirth=1990-01-01&tz=").await;
        answer.expect_problem(405, "method-not-allowed");
    }
    let saved = app.call("POST", "/save", &[FORM], "_method=delete&username=John&dateOfBirth=1990-11-28&tz=").await;
    assert!([303, 400].contains(&saved.status), "{}", saved.status);
    assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 5 day(s)");
}
