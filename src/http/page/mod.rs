//! The pages that people look at, and the files that these load: from the binary alone.

pub mod home;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Cursor;
use std::sync::LazyLock;

use hyper::body::Bytes;
use minijinja::{Environment, HtmlEscape, UndefinedBehavior, Value};
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};
use rocket::{Route, State};

use super::guards::has_current;
use super::problem::Problem;
use super::site::is_secure;

pub fn routes() -> Vec<Route> {
    routes![home::home, home::save, file]
}

/// The page `name` of the templates. They escape whatever they print, and a name that they do not know is an error.
pub fn render(name: &str, context: Value) -> String {
    static TEMPLATES: LazyLock<Environment<'_>> = LazyLock::new(|| {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        templates.add_filter("prose", prose);
        for (name, text) in [
            ("home.html", include_str!("home.html")),
            ("docs.html", include_str!("docs.html")),
            ("problems.html", include_str!("problems.html")),
        ] {
            templates.add_template(name, text).expect("the templates are part of the binary and tested");
        }
        templates
    });
    let page = TEMPLATES.get_template(name).and_then(|template| template.render(context));
    page.expect("the templates are part of the binary and tested")
}

/// Shows what stands between backticks as code, as CommonMark does.
fn prose(text: &str) -> Value {
    let parts = text.split('`').map(|part| HtmlEscape(part).to_string()).enumerate();
    Value::from_safe_string(parts.map(|(at, part)| if at % 2 == 1 { format!("<code>{part}</code>") } else { part }).collect())
}

/// Nothing from elsewhere, nothing inline, no frame around it, no form that leads away.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

fn protect(response: &mut response::Builder<'_>, request: &Request<'_>, caching: &'static str) {
    response
        .header(Header::new("Content-Security-Policy", POLICY))
        // Not `no-referrer`: with it browsers send `Origin: null` with the page's own form.
        .header(Header::new("Referrer-Policy", "same-origin"))
        .header(Header::new("Cross-Origin-Opener-Policy", "same-origin"))
        .header(Header::new("Cache-Control", caching));
    if is_secure(request) {
        response.header(Header::new("Strict-Transport-Security", "max-age=31536000; includeSubDomains"));
    }
}

/// A page about one person, or about a mistake: no cache keeps it.
pub struct Page {
    status: Status,
    text: String,
}

impl<'r> Responder<'r, 'static> for Page {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        protect(&mut response, request, "no-store");
        if self.status == Status::ServiceUnavailable {
            response.header(Header::new("Retry-After", "1"));
        }
        response.status(self.status).header(ContentType::HTML).sized_body(self.text.len(), Cursor::new(self.text)).ok()
    }
}

/// What is the same for all who ask. Browsers keep it, and ask each time whether it has changed.
#[derive(Clone)]
pub struct Asset {
    name: &'static str,
    kind: ContentType,
    text: Bytes,
    tag: String,
}

impl<'r> Responder<'r, 'static> for Asset {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        protect(&mut response, request, "no-cache");
        let unchanged = has_current(request, &self.tag);
        response.header(Header::new("ETag", self.tag));
        if unchanged {
            return response.status(Status::NotModified).ok();
        }
        response.header(self.kind).sized_body(self.text.len(), Cursor::new(self.text)).ok()
    }
}

/// An entity tag (RFC 9110, 8.8.3): the same for the same text.
pub fn tag_of(text: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// Pages and files, rendered once.
pub struct Assets(Vec<Asset>);

impl Assets {
    /// Of each its name in the path, its type and its text.
    pub fn new(texts: impl IntoIterator<Item = (&'static str, ContentType, String)>) -> Self {
        let assets =
            texts.into_iter().map(|(name, kind, text)| Asset { name, kind, tag: tag_of(text.as_bytes()), text: text.into() });
        Self(assets.collect())
    }

    pub fn named(&self, name: &str) -> Result<Asset, Problem> {
        self.0.iter().find(|asset| asset.name == name).cloned().ok_or(Problem::NotFound)
    }

    /// The text with this tag, of which every answer can be made without a copy.
    pub fn tagged(&self, tag: &str) -> Option<Bytes> {
        self.0.iter().find(|asset| asset.tag == tag).map(|asset| asset.text.clone())
    }
}

/// What the pages load.
pub fn files() -> [(&'static str, ContentType, String); 5] {
    [
        ("style.css", ContentType::CSS, include_str!("style.css")),
        ("home.css", ContentType::CSS, include_str!("home.css")),
        ("home.js", ContentType::JavaScript, include_str!("home.js")),
        ("docs.css", ContentType::CSS, include_str!("docs.css")),
        ("docs.js", ContentType::JavaScript, include_str!("docs.js")),
    ]
    .map(|(name, kind, text)| (name, kind, text.to_owned()))
}

/// Below `/docs`, which proxies in front of the service let through.
#[get("/docs/<file>")]
fn file(file: &str, assets: &State<Assets>) -> Result<Asset, Problem> {
    assets.named(file)
}

#[cfg(test)]
mod tests {
    #[test]
    fn prose_is_escaped_before_code_is_marked() {
        assert_eq!(super::prose("<b> `x<y` & z").to_string(), "&lt;b&gt; <code>x&lt;y</code> &amp; z");
    }
}
