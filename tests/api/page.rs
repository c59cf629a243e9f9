//! The web page where no script runs: `GET /?username=` and the form that `POST /save` takes. (What a browser makes of it: tests/browser.)

use std::collections::BTreeSet;

use reqwest::Method;

use crate::support::{Answer, Database, Store, TestApp, birthday, on_both_stores, operations};

on_both_stores![
    the_form_saves_and_leads_to_the_page_with_the_countdown, a_form_with_mistakes_comes_back_with_what_to_change,
    a_form_of_another_site_is_refused, a_method_in_the_form_changes_nothing,
    the_documentation_explains_every_operation_and_every_problem,
];

async fn submit(app: &TestApp, form: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = app.request(Method::POST, "/save").header("Content-Type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(form.to_owned())).await
}

const FORM: &str = "username=John&dateOfBirth=1990-11-28&tz=";

async fn the_form_saves_and_leads_to_the_page_with_the_countdown(app: TestApp) {
    let saved = submit(&app, FORM, &[("Origin", &format!("http://{}", app.address)), ("Sec-Fetch-Site", "same-origin")]).await;
    assert_eq!((saved.status, saved.header("location")), (303, Some("/?username=John")));
    let page = app.get("/?username=John").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.body.contains("John"), "{}", page.body);
    assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 5 day(s)");
}

async fn a_form_with_mistakes_comes_back_with_what_to_change(app: TestApp) {
    for (form, told) in [
        ("username=J0hn&dateOfBirth=1990-11-28&tz=", "ASCII letters"),
        ("username=John&dateOfBirth=2026-11-23&tz=", "before today"),
        ("username=John&dateOfBirth=1990-11-28&tz=Mars", "IANA"),
        ("username=%3Cb%3E&dateOfBirth=1990-11-28&tz=", "ASCII letters"),
    ] {
        let page = submit(&app, form, &[]).await;
        assert_eq!(page.status, 400, "{form}");
        assert!(page.body.contains(told), "{form}: {}", page.body);
        assert!(!page.body.contains("<b>"), "what was typed is escaped: {}", page.body);
    }
    app.get("/hello/John").await.expect_problem(404, "unknown-username");
}

async fn a_form_of_another_site_is_refused(app: TestApp) {
    let (own, longer) = (format!("http://{}", app.address), format!("http://{}.elsewhere.example.com", app.address));
    for headers in [
        &[("Origin", "https://elsewhere.example.com")][..],
        &[("Origin", "null")],
        &[("Origin", "http://127.0.0.1:1")],
        &[("Origin", &longer)],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", &own), ("Sec-Fetch-Site", "cross-site")],
    ] {
        submit(&app, FORM, headers).await.expect_problem(403, "foreign-origin");
    }
    app.get("/hello/John").await.expect_problem(404, "unknown-username");
    for headers in [&[][..], &[("Sec-Fetch-Site", "same-origin")], &[("Sec-Fetch-Site", "none")]] {
        assert_eq!(submit(&app, FORM, headers).await.status, 303, "{headers:?}");
    }
}

/// Behind a proxy that sets Host anew, and where another name resolves to this machine.
#[tokio::test]
async fn the_form_is_taken_from_the_public_url_or_from_where_the_browser_vouches_for() {
    for (settings, headers, status) in [
        ("", &[("Host", "localhost"), ("Origin", "https://birthday.example"), ("Sec-Fetch-Site", "same-origin")][..], 303),
        ("", &[("Host", "localhost"), ("Origin", "http://localhost:80")], 303),
        ("", &[("Host", "localhost:443"), ("Origin", "https://LOCALHOST")], 303),
        ("", &[("Host", "localhost"), ("Origin", "http://localhost:81")], 403),
        ("", &[("Host", "localhost"), ("Origin", "https://birthday.example"), ("Sec-Fetch-Site", "same-site")], 403),
        ("https://birthday.example", &[("Origin", "https://birthday.example"), ("Sec-Fetch-Site", "same-origin")], 303),
        ("https://birthday.example", &[("Origin", "https://birthday.example:443")], 303),
        ("https://birthday.example", &[("Origin", "http://birthday.example")], 403),
        ("https://birthday.example", &[("Origin", "https://a.birthday.example")], 403),
        (
            "https://birthday.example",
            &[("Host", "evil.example"), ("Origin", "http://evil.example"), ("Sec-Fetch-Site", "same-origin")],
            403,
        ),
    ] {
        let settings = if settings.is_empty() { String::new() } else { format!("[default]\npublic_url = {settings:?}") };
        let app = TestApp::with(Database::new(Store::Sqlite), &settings);
        let saved = submit(&app, FORM, headers).await;
        assert_eq!(saved.status, status, "{settings} {headers:?}: {}", saved.body);
    }
    let app = TestApp::with(Database::new(Store::Sqlite), "[default]\npublic_url = \"https://birthday.example\"");
    app.save("John", "1990-11-28").await;
    let page = app.get("/?username=John").await.body.replace("&#x2f;", "/");
    assert!(page.contains("webcal://birthday.example/hello/John/birthday.ics"), "{page}");
    for method in [Method::PUT, Method::DELETE] {
        let request =
            app.request(method, "/hello/John").header("Origin", "http://evil.example").header("Content-Type", "application/json");
        app.send(request.body(birthday("1990-11-29"))).await.expect_problem(403, "foreign-origin");
    }
}

#[tokio::test]
async fn pages_files_and_the_document_are_kept_and_compared_weakly() {
    let app = TestApp::start(Store::Sqlite);
    app.save("John", "1990-11-28").await;
    for path in ["/", "/docs", "/docs/style.css", "/openapi.json", "/hello/John/birthday.ics"] {
        let first = app.get(path).await;
        let tag = first.header("etag").unwrap_or_else(|| panic!("{path} has no tag")).to_owned();
        for (tags, status) in [
            (tag.clone(), 304),
            (format!("W/{tag}"), 304),
            (format!("\"a\", W/{tag} , \"b\""), 304),
            ("*".to_owned(), 304),
            ("\"a\"".to_owned(), 200),
        ] {
            let again = app.send(app.request(Method::GET, path).header("If-None-Match", &tags)).await;
            assert_eq!((again.status, again.header("etag")), (status, Some(tag.as_str())), "{path} {tags}");
            assert_eq!(again.body.is_empty(), status == 304, "{path} {tags}");
        }
    }
}

#[tokio::test]
async fn a_repeated_time_zone_is_refused_on_the_page_too() {
    let app = TestApp::start(Store::Sqlite);
    for query in ["?tz=UTC&tz=UTC", "?username=John&tz=&tz=UTC"] {
        let page = app.get(&format!("/{query}")).await;
        assert!(page.status == 400 && page.body.contains("tz may be given once"), "{query}: {} {}", page.status, page.body);
    }
}

async fn a_method_in_the_form_changes_nothing(app: TestApp) {
    app.save("John", "1990-11-30").await;
    let saved = submit(&app, &format!("_method=delete&{FORM}"), &[]).await;
    assert!([303, 400].contains(&saved.status), "{}", saved.status);
    assert_eq!(app.get("/hello/John").await.status, 200);
}

async fn the_documentation_explains_every_operation_and_every_problem(app: TestApp) {
    // The templates escape slashes too.
    let page = app.get("/docs").await.body.replace("&#x2f;", "/");
    let anchors: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let unique: BTreeSet<&str> = anchors.iter().copied().collect();
    assert_eq!(unique.len(), anchors.len(), "{anchors:?}");
    for (method, template) in operations().keys() {
        assert!(page.contains(&format!("data-method=\"{method}\" data-path=\"{template}\"")), "{method} {template}");
    }
    let problems: Vec<_> = birthday_api::http::Problem::examples().collect();
    for problem in &problems {
        let (_, anchor, title) = problem.class();
        assert!(unique.contains(anchor) && page.contains(&format!("<h3>{title}</h3>")), "{title}");
    }
    assert_eq!(page.matches("<strong>What to do:</strong> ").count(), problems.len());
}
