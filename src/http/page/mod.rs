//! The pages that people look at, and the files that these load: from the binary alone.

mod docs;
pub mod home;
mod problems;
mod site;

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Cursor;

use rocket::Route;
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};

use super::problem::Problem;

pub use self::docs::docs;
pub use self::site::{OwnPage, Site};

pub fn routes() -> Vec<Route> {
    routes![home::home, home::save, file]
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
