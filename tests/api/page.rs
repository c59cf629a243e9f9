//! The web page without scripts: `GET /?username=` and the form that `POST /save` accepts. (In a browser: tests/browser.)

use std::collections::BTreeSet;

use crate::support::{Answer, Database, FORM, JSON, Store, TestApp, birthday, on_both_stores, operations};

on_both_stores![
    the_form_saves_and_leads_to_the_page_with_the_countdown, a_form_or_a_page_with_mistakes_says_what_to_change,
    a_form_of_another_site_is_refused,
];

async fn submit(app: &TestApp, form: &str, headers: &[(&str, &str)]) -> Answer {
    app.call("POST", "/save", &[&[FORM][..], headers].concat(), form.to_owned()).await
}

const ENTRY: &str = "username=John&dateOfBirth=1990-11-28&tz=";

async fn the_form_saves_and_leads_to_the_page_with_the_countdown(app: TestApp) {
    let saved = submit(&app, ENTRY, &[("Origin", &format!("http://{}", app.address)), ("Sec-Fetch-Site", "same-origin")]).await;
    assert_eq!((saved.status, saved.header("location")), (303, Some("/?username=John")));
    let page = app.get("/?username=John").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.body.contains("John"), "{}", page.body);
    assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 5 day(s)");
    for (today, words, unit) in [("2026-11-26", "2 days until John", ">days<"), ("2026-11-27", "1 day until John", ">day<")] {
        app.on(today);
        let page = app.get("/?username=John").await.body;
        assert!(page.matches(words).count() == 2 && page.contains(unit), "title, heading and picture: {page}");
    }
}

async fn a_form_or_a_page_with_mistakes_says_what_to_change(app: TestApp) {
    for (form, said) in [
        ("username=John&dateOfBirth=2026-11-23&tz=", "before today"),
        ("username=John&dateOfBirth=1990-11-28&tz=Mars", "IANA"),
        ("username=%3Cb%3E&dateOfBirth=1990-11-28&tz=", "ASCII letters"),
    ] {
        let page = submit(&app, form, &[]).await;
        assert!(page.status == 400 && page.body.contains(said), "{form}: {} {}", page.status, page.body);
        assert!(!page.body.contains("<b>"), "what was typed is escaped: {}", page.body);
    }
    let not_text = app.call("POST", "/save", &[FORM], b"username=\xff".to_vec()).await;
    assert!(not_text.status == 400 && not_text.body.contains("ASCII letters"), "{} {}", not_text.status, not_text.body);
    let unknown = app.get("/hello/John").await.expect_problem(404, "unknown-username");
    let page = app.get("/?username=John").await;
    assert!(page.status == 404 && page.body.contains(unknown["detail"].as_str().unwrap()), "the API's text: {}", page.body);
    for query in ["?tz=UTC&tz=UTC", "?username=John&tz=&tz=UTC"] {
        let page = app.get(&format!("/{query}")).await;
        assert!(page.status == 400 && page.body.contains("tz may be given only once"), "{query}: {} {}", page.status, page.body);
    }
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
        submit(&app, ENTRY, headers).await.expect_problem(403, "foreign-origin");
    }
    app.get("/hello/John").await.expect_problem(404, "unknown-username");
    for headers in [&[][..], &[("Sec-Fetch-Site", "same-origin")], &[("Sec-Fetch-Site", "none")]] {
        assert_eq!(submit(&app, ENTRY, headers).await.status, 303, "{headers:?}");
    }
}

/// Behind a proxy that replaces Host, and where another name resolves to this machine.
#[tokio::test]
async fn the_form_is_taken_from_the_public_url_or_from_where_the_browser_vouches_for() {
    let local = TestApp::start(Store::Sqlite);
    let public = TestApp::with(Database::new(Store::Sqlite), "[default]\npublic_url = \"https://birthday.example\"");
    let loopback = TestApp::with(Database::new(Store::Sqlite), "[default]\npublic_url = \"http://127.0.0.1:8000\"");
    for (app, host, origin, site, status) in [
        (&local, "localhost", "https://birthday.example", "same-origin", 303),
        (&local, "localhost", "http://localhost:80", "", 303),
        (&local, "localhost:443", "https://LOCALHOST", "", 303),
        (&local, "localhost", "http://localhost:81", "", 403),
        (&local, "localhost", "https://birthday.example", "same-site", 403),
        (&public, "localhost", "https://birthday.example", "same-origin", 303),
        (&public, "localhost", "https://birthday.example:443", "", 303),
        (&public, "localhost", "http://birthday.example", "", 403),
        (&public, "localhost", "https://a.birthday.example", "", 403),
        (&public, "evil.example", "http://evil.example", "same-origin", 403),
        (&loopback, "127.0.0.1:8000", "http://127.0.0.1:8000", "same-origin", 303),
        (&loopback, "localhost:8000", "http://localhost:8000", "same-origin", 303),
        (&loopback, "[::1]:8000", "http://[::1]:8000", "same-origin", 303),
        (&loopback, "localhost:8001", "http://localhost:8001", "same-origin", 403),
        (&loopback, "localhost:8000", "https://localhost:8000", "same-origin", 403),
        (&loopback, "evil.example:8000", "http://evil.example:8000", "same-origin", 403),
    ] {
        let headers = [("Host", host), ("Origin", origin), ("Sec-Fetch-Site", site)];
        let saved = submit(app, ENTRY, &headers[..if site.is_empty() { 2 } else { 3 }]).await;
        assert_eq!(saved.status, status, "{headers:?}: {}", saved.body);
        assert!(status != 403 || saved.body.contains("public_url"), "what to change: {}", saved.body);
    }
    let page = public.get("/?username=John").await.body.replace("&#x2f;", "/");
    assert!(page.contains("webcal://birthday.example/hello/John/birthday.ics"), "{page}");
    for method in ["PUT", "DELETE"] {
        let evil = [JSON, ("Origin", "http://evil.example")];
        public.call(method, "/hello/John", &evil, birthday("1990-11-29")).await.expect_problem(403, "foreign-origin");
    }
}

#[tokio::test]
async fn the_page_names_the_address_by_which_the_browser_reached_it() {
    let app = TestApp::start(Store::Sqlite);
    app.save("John", "1990-11-28").await;
    for (forwarded, scheme) in [("https", "https"), ("http", "http"), ("ftp", "http")] {
        let page = app.get_with("/?username=John", ("X-Forwarded-Proto", forwarded)).await.body.replace("&#x2f;", "/");
        assert!(page.contains(&format!("'{scheme}://{}/hello/John'", app.address)), "by {forwarded}: {page}");
    }
}

#[tokio::test]
async fn the_documentation_explains_every_operation_and_every_problem() {
    // The templates escape slashes too.
    let page = TestApp::start(Store::Sqlite).get("/docs").await.body.replace("&#x2f;", "/");
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
