//! A client that checks every answer against the rules that all answers follow.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex, OnceLock};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

pub const JSON: (&str, &str) = ("Content-Type", "application/json");
pub const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

pub struct Client {
    http: reqwest::Client,
    base: String,
    /// Method, path template and status of the documented answers received.
    pub seen: Mutex<BTreeSet<(String, String, u16)>>,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    what: String,
}

impl Client {
    /// Opens a connection for each request, so that none outlives a test's runtime.
    pub fn new(address: SocketAddr) -> Self {
        static WITHOUT_POOL: LazyLock<reqwest::Client> = LazyLock::new(|| http(0));
        Self { http: WITHOUT_POOL.clone(), base: format!("http://{address}"), seen: Mutex::default() }
    }

    /// Keeps connections for further requests of the same runtime.
    pub fn with_pool(address: SocketAddr) -> Self {
        Self { http: http(usize::MAX), ..Self::new(address) }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn put(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.call("PUT", path, &[JSON], body).await
    }

    pub async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(method.parse().unwrap(), path).body(body);
        self.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    pub async fn get_with(&self, path: &str, header: (&str, &str)) -> Answer {
        self.call("GET", path, &[header], "").await
    }

    /// Saves, and fails on any other answer.
    pub async fn save(&self, name: &str, born: &str) {
        let answer = self.put(&format!("/hello/{name}"), birthday(born)).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
    }

    /// The greeting for a known name.
    pub async fn message(&self, name: &str) -> String {
        let answer = self.get(&format!("/hello/{name}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["message"].as_str().expect("a message").to_owned()
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap()
    }

    /// An error means that the connection failed and no answer came.
    pub async fn try_send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let request = request.build()?;
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = self.http.execute(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let answer = Answer { status, headers, body: response.text().await?, what: format!("{method} {path}") };
        let documented = documented(&method, &path);
        answer.check(&method, &path, documented.map(|(_, answers)| answers));
        if let Some(((method, template), _)) = documented {
            self.seen.lock().unwrap().insert((method.clone(), template.clone(), status));
        }
        Ok(answer)
    }
}

fn http(idle_connections: usize) -> reqwest::Client {
    // No test uses TLS through it, but it cannot be built without a provider. Another test may have installed one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(idle_connections).timeout(Duration::from_secs(60));
    client.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

pub fn birthday(born: &str) -> String {
    json!({ "dateOfBirth": born }).to_string()
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{}: {error} in {}", self.what, self.body))
    }

    /// Fails unless this is the problem that the documentation describes at `/docs#<kind>`.
    pub fn expect_problem(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.what, self.body);
        let problem = self.json();
        assert_eq!(problem["type"], format!("/docs#{kind}"), "{}: {problem}", self.what);
        problem
    }

    fn check(&self, method: &Method, path: &str, documented: Option<&Documented>) {
        let Self { status, what, .. } = self;
        let mut is_page = false;
        if let Some(documented) = documented {
            let answer = documented.get(status).unwrap_or_else(|| panic!("{what}: {status} is not documented"));
            let found = self.header("content-type").map(|kind| kind.split(';').next().unwrap_or(kind));
            let fits = found.map_or(answer["content"].is_null(), |found| answer["content"].get(found).is_some());
            assert!(fits, "{what}: content type {found:?} of {status}, not {}", answer["content"]);
            for name in ["Birthday-Today", "Birthday-Source"].into_iter().filter(|_| *status < 300) {
                let listed = answer["headers"].get(name).is_some();
                assert!(listed || self.header(name).is_none(), "{what}: {name} of {status} is not documented");
            }
            is_page = found == Some("text/html");
        }
        if *status >= 400 && !is_page {
            assert_eq!(self.header("content-type"), Some("application/problem+json"), "{what}: {status}");
            if method != Method::HEAD {
                let problem = self.json();
                assert_eq!(problem["status"], *status, "{what}");
                for member in ["type", "title", "detail"] {
                    assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{what}: {member} in {problem}");
                }
                assert_eq!(problem.as_object().unwrap().len(), 4, "{what}: {problem}");
            }
        }
        if *status == 503 {
            assert!(self.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{what}");
        }
        if *status == 204 || method == Method::HEAD {
            assert_eq!(self.body, "", "{what}");
        }
        if path.starts_with("/hello/") {
            let kept = if path.ends_with(".ics") && *status < 400 { "private, no-cache" } else { "no-store" };
            assert_eq!(self.header("cache-control"), Some(kept), "{what}");
        }
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{what}");
        assert_eq!(self.header("cross-origin-resource-policy"), Some("same-origin"), "{what}");
    }
}

/// The documented answers of an operation by status.
pub type Documented = BTreeMap<u16, Value>;

/// Method and path template.
type Operation = (String, String);

pub fn operations() -> &'static BTreeMap<Operation, Documented> {
    static OPERATIONS: OnceLock<BTreeMap<Operation, Documented>> = OnceLock::new();
    OPERATIONS.get_or_init(|| {
        let document: Value = serde_json::from_str(&birthday_api::http::openapi()).unwrap();
        let mut operations = BTreeMap::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
                let answers = operation["responses"].as_object().unwrap().iter();
                let answers = answers.map(|(status, answer)| (status.parse().unwrap(), answer.clone())).collect();
                operations.insert((method.to_uppercase(), path.clone()), answers);
            }
        }
        operations
    })
}

/// What is documented for a request; `HEAD` is documented as `GET`.
fn documented(method: &Method, path: &str) -> Option<(&'static Operation, &'static Documented)> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let fits = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        template.len() == path.len()
            && template.iter().zip(&path).all(|(part, found)| part == found || (part.starts_with('{') && !found.is_empty()))
    };
    operations().iter().find(|((known, template), _)| known == method && fits(template))
}
