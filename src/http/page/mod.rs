//! Pages and what they load: from the binary, for no other site to see.

use rocket::http::{ContentType, Header};
use rocket::request::Request;
use rocket::response::{self, Responder};

/// A file of a page. Scripts and styles come from this service alone, and no other site may frame it.
pub struct Page(pub ContentType, pub &'static str);

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

impl<'r> Responder<'r, 'static> for Page {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = (self.0, self.1).respond_to(request)?;
        response.set_header(Header::new("Content-Security-Policy", POLICY));
        response.set_header(Header::new("X-Content-Type-Options", "nosniff"));
        response.set_header(Header::new("Referrer-Policy", "no-referrer"));
        response.set_header(Header::new("Cache-Control", "no-cache"));
        Ok(response)
    }
}
