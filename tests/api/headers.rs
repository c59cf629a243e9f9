//! What protects the visitor of a page, header by header.

use std::collections::BTreeMap;

use reqwest::Method;

use crate::support::{Answer, Store, TestApp, raw};

const PAGES: [&str; 4] = ["/", "/?username=Nobody", "/?username=1", "/docs"];
const FILES: [&str; 5] = ["/docs/style.css", "/docs/home.css", "/docs/home.js", "/docs/docs.css", "/docs/docs.js"];

async fn with(app: &TestApp, path: &str, header: (&str, &str)) -> Answer {
    app.send(app.request(Method::GET, path).header(header.0, header.1)).await
}

#[tokio::test]
async fn a_page_allows_nothing_inline_nothing_from_elsewhere_and_no_frame_around_it() {
    let app = TestApp::start(Store::Sqlite);
    for path in PAGES.iter().chain(&FILES) {
        let answer = app.get(path).await;
        let policy = answer.header("content-security-policy").unwrap();
        let rules: BTreeMap<&str, &str> = policy.split(';').filter_map(|rule| rule.trim().split_once(' ')).collect();
        for name in ["default-src", "frame-ancestors", "base-uri"] {
            assert_eq!(rules[name], "'none'", "{path}: {name}");
        }
        for name in ["script-src", "style-src", "connect-src", "form-action"] {
            assert_eq!(rules[name], "'self'", "{path}: {name}");
        }
        assert!(["unsafe", "*", "http"].iter().all(|word| !policy.contains(word)), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{path}");
        assert_eq!(answer.header("server"), None, "{path}");
    }
}

#[tokio::test]
async fn https_is_asked_for_from_now_on_only_where_it_was_used() {
    let app = TestApp::start(Store::Sqlite);
    for path in PAGES.iter().chain(&FILES) {
        let over_https = with(&app, path, ("X-Forwarded-Proto", "https")).await;
        assert!(
            over_https.header("strict-transport-security").is_some_and(|value| value.starts_with("max-age=31536000")),
            "{path}"
        );
        for plain in [app.get(path).await, with(&app, path, ("X-Forwarded-Proto", "http")).await] {
            assert_eq!(plain.header("strict-transport-security"), None, "{path}");
        }
    }
}

#[tokio::test]
async fn no_page_holds_anything_inline_or_from_another_site() {
    let app = TestApp::start(Store::Sqlite);
    app.save("John", "1990-05-17").await;
    for path in PAGES.iter().chain(&["/?username=John"]) {
        // The templates escape slashes too.
        let page = app.get(path).await.body.replace("&#x2f;", "/");
        for inline in ["<style", " style=", " onclick=", " onload=", " onsubmit=", "javascript:"] {
            assert!(!page.contains(inline), "{path}: {inline}");
        }
        for attribute in ["src=\"", "href=\"", "action=\""] {
            for address in page.split(attribute).skip(1) {
                let here = ["/", "#", "data:image", "webcal:"].iter().any(|begin| address.starts_with(begin));
                assert!(here && !address.starts_with("//"), "{path}: {attribute}{:.40}", address);
            }
        }
        assert_eq!(page.matches("<script").count(), page.matches("src=\"/docs/").count(), "{path}");
    }
}

#[tokio::test]
async fn a_page_about_a_person_is_not_kept_and_every_other_one_is_kept_and_asked_about() {
    let app = TestApp::start(Store::Sqlite);
    app.save("Kept", "1990-05-17").await;
    let about = app.get("/?username=Kept").await;
    assert_eq!((about.header("cache-control"), about.header("etag")), (Some("no-store"), None));
    for path in ["/", "/docs"].iter().chain(&FILES) {
        let first = app.get(path).await;
        let tag = first.header("etag").unwrap();
        for (known, status) in [(tag, "304"), ("\"other\"", "200")] {
            let host = app.address;
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nIf-None-Match: {known}\r\nConnection: close\r\n\r\n");
            assert!(raw::exchange(host, &request).starts_with(&format!("HTTP/1.1 {status}")), "{path} {known}");
        }
    }
}
