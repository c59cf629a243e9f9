//! This service as a browser sees it: its own address, and who else sends forms to it.

use std::convert::Infallible;
use std::fmt;

use rocket::request::{FromRequest, Outcome, Request};

use super::super::problem::Problem;

/// Scheme and host that the request was sent to. Prints as an origin (RFC 6454), without a slash at the end.
pub struct Site {
    pub secure: bool,
    pub host: String,
}

impl Default for Site {
    fn default() -> Self {
        Self { secure: false, host: "localhost:8000".to_owned() }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.host)
    }
}

/// Whether TLS ended in front of this service.
pub fn is_secure(request: &Request<'_>) -> bool {
    request.headers().get_one("X-Forwarded-Proto") == Some("https")
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Site {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        let host = request.host().map_or_else(|| Self::default().host, ToString::to_string);
        Outcome::Success(Self { secure: is_secure(request), host })
    }
}

/// The request does not come from another site's page. Programs, which send neither header, may pass.
pub struct OwnPage;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for OwnPage {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        let headers = request.headers();
        let host = request.host().map(ToString::to_string).unwrap_or_default();
        // `null`, which browsers send for what has no origin to speak of, has no host.
        let own = |origin: &str| origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(&host));
        if headers.get("Sec-Fetch-Site").all(|site| matches!(site, "same-origin" | "none")) && headers.get("Origin").all(own) {
            Outcome::Success(Self)
        } else {
            Outcome::Error((Problem::ForeignOrigin.class().0, Problem::ForeignOrigin))
        }
    }
}
