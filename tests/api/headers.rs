//! The security headers that protect visitors of the pages.

use std::collections::BTreeMap;

use crate::support::{Store, TestApp};

const PAGES: [&str; 4] =
    ["/", "/?username=John", "/?username=%22%3E%3Cscript%3E&tz=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E", "/docs"];
const FILES: [&str; 5] = ["/docs/style.css", "/docs/home.css", "/docs/home.js", "/docs/docs.css", "/docs/docs.js"];

#[tokio::test]
async fn a_page_allows_nothing_inline_nothing_from_elsewhere_and_no_frame_around_it() {
    let app = TestApp::start(Store::Sqlite);
    app.save("John", "1990-05-17").await;
    for path in PAGES.iter().chain(&FILES) {
        let answer = app.get_with(path, ("X-Forwarded-Proto", "https")).await;
        let policy = answer.header("content-security-policy").unwrap();
        let rules: BTreeMap<&str, &str> = policy.split(';').filter_map(|rule| rule.trim().split_once(' ')).collect();
        for name in ["default-src", "frame-ancestors", "base-uri"] {
            assert_eq!(rules[name], "'none'", "{path}: {name}");
        }
        for name in ["script-src", "style-src", "connect-src", "form-action"] {
            assert_eq!(rules[name], "'self'", "{path}: {name}");
        }
        assert!(["unsafe", "*", "http"].iter().all(|word| !policy.contains(word)), "{path}: {policy}");
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{path}");
        // HSTS concerns a whole domain, which only the proxy that ends TLS knows.
        for name in ["server", "strict-transport-security"] {
            assert_eq!(answer.header(name), None, "{path}: {name}");
        }
    }
}

#[tokio::test]
async fn a_page_about_a_person_is_not_kept_and_all_else_is_kept_and_compared_weakly() {
    let app = TestApp::start(Store::Sqlite);
    app.save("John", "1990-05-17").await;
    let about = app.get("/?username=John").await;
    assert_eq!((about.header("cache-control"), about.header("etag")), (Some("no-store"), None));
    for path in ["/", "/docs", "/openapi.json", "/hello/John/birthday.ics"].iter().chain(&FILES) {
        let first = app.get(path).await;
        let tag = first.header("etag").unwrap_or_else(|| panic!("{path} has no tag"));
        for (tags, status) in
            [(tag, 304), (&format!("W/{tag}"), 304), (&format!("\"a\", W/{tag} , \"b\""), 304), ("*", 304), ("\"a\"", 200)]
        {
            let again = app.get_with(path, ("If-None-Match", tags)).await;
            assert_eq!((again.status, again.header("etag")), (status, Some(tag)), "{path} {tags}");
            assert_eq!(again.body.is_empty(), status == 304, "{path} {tags}");
        }
    }
}
