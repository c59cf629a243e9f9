//! The pages that people look at, and the files that these load: from the binary alone.

pub mod home;
mod site;

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Cursor;
use std::sync::LazyLock;

use minijinja::{Environment, HtmlEscape, UndefinedBehavior, Value};
use rocket::Route;
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};

use super::problem::Problem;

pub use self::site::{OwnPage, Site};

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

/// A page or a file of one, with the headers that protect whoever looks at it.
pub struct Page {
    status: Status,
    kind: ContentType,
    text: Cow<'static, str>,
    /// About one person: nobody keeps it.
    personal: bool,
}

impl Page {
    /// Browsers keep it, and ask each time whether it is still the same.
    pub fn html(text: String) -> Self {
        Self { status: Status::Ok, kind: ContentType::HTML, text: text.into(), personal: false }
    }

    fn personal(status: Status, text: String) -> Self {
        Self { status, kind: ContentType::HTML, text: text.into(), personal: true }
    }
}

impl<'r> Responder<'r, 'static> for Page {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response
            .header(Header::new("Content-Security-Policy", POLICY))
            .header(Header::new("X-Content-Type-Options", "nosniff"))
            // Not `no-referrer`: with it browsers send `Origin: null` with the page's own form.
            .header(Header::new("Referrer-Policy", "same-origin"))
            .header(Header::new("Cross-Origin-Opener-Policy", "same-origin"))
            .header(Header::new("Cross-Origin-Resource-Policy", "same-origin"))
            .header(Header::new("Cache-Control", if self.personal { "no-store" } else { "no-cache" }));
        if site::is_secure(request) {
            response.header(Header::new("Strict-Transport-Security", "max-age=31536000; includeSubDomains"));
        }
        if self.status == Status::ServiceUnavailable {
            response.header(Header::new("Retry-After", "1"));
        }
        if !self.personal {
            let mut hasher = DefaultHasher::new();
            self.text.hash(&mut hasher);
            let tag = format!("\"{:016x}\"", hasher.finish());
            let unchanged = request.headers().get_one("If-None-Match") == Some(&tag);
            response.header(Header::new("ETag", tag));
            if unchanged {
                return response.status(Status::NotModified).ok();
            }
        }
        response.status(self.status).header(self.kind).sized_body(self.text.len(), Cursor::new(self.text.into_owned())).ok()
    }
}

/// Below `/docs`, which whatever stands in front of the service already lets through.
#[get("/docs/<file>")]
fn file(file: &str) -> Result<Page, Problem> {
    let (kind, text) = match file {
        "style.css" => (ContentType::CSS, include_str!("style.css")),
        "home.css" => (ContentType::CSS, include_str!("home.css")),
        "home.js" => (ContentType::JavaScript, include_str!("home.js")),
        "docs.css" => (ContentType::CSS, include_str!("docs.css")),
        "docs.js" => (ContentType::JavaScript, include_str!("docs.js")),
        _ => return Err(Problem::NotFound),
    };
    Ok(Page { status: Status::Ok, kind, text: text.into(), personal: false })
}

#[cfg(test)]
mod tests {
    #[test]
    fn prose_is_escaped_before_code_is_marked() {
        assert_eq!(super::prose("<b> `x<y` & z").to_string(), "&lt;b&gt; <code>x&lt;y</code> &amp; z");
    }
}
