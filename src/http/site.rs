//! Where users reach this service, and whether a request comes from its own page.

use std::convert::Infallible;
use std::net::IpAddr;

use hyper::http::uri::Authority;
use rocket::http::Method;
use rocket::request::{FromRequest, Outcome, Request};

use super::guards::state;
use super::problem::Problem;
use crate::config::{PublicUrl, Settings};

/// A host with or without a port, as Host and the authority of a URL have it (RFC 9110, 7.2).
pub fn authority_of(text: &str) -> Option<Authority> {
    let authority: Authority = text.parse().ok()?;
    let port = text.strip_prefix(authority.host())?;
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.is_empty() || authority.port_u16().is_some());
    (is_port && !authority.host().is_empty()).then_some(authority)
}

/// `localhost`, or an address of this machine alone.
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

/// Whether TLS ended in front of this service.
pub fn is_secure(request: &Request<'_>) -> bool {
    request.headers().get_one("X-Forwarded-Proto") == Some("https")
}

/// The service's own address as users see it: the setting `public_url`, or else what the request says.
pub struct Site(pub PublicUrl);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Site {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        let asked = || PublicUrl {
            secure: is_secure(request),
            host: request.headers().get_one("Host").unwrap_or("localhost:8000").to_owned(),
        };
        Outcome::Success(Self(state::<Settings>(request).public_url.clone().unwrap_or_else(asked)))
    }
}

/// The request comes from no other site's page. Programs, which send neither `Origin` nor `Sec-Fetch-Site`, may pass.
///
/// Browsers ask before they send a PUT or DELETE to another site, and this service does not allow it. A name that an attacker has
/// resolve to this machine (DNS rebinding) is no other site to them: `public_url` tells it apart.
pub struct OwnPage;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for OwnPage {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        let headers = request.headers();
        let host = headers.get_one("Host").unwrap_or_default();
        let vouched = headers.get_one("Sec-Fetch-Site");
        let mut origins = headers.get("Origin");
        let own = match &state::<Settings>(request).public_url {
            Some(url) => origins.all(|origin| same_host(origin, &url.host) && origin.starts_with("https:") == url.secure),
            None if request.method() != Method::Post => true,
            // Behind a proxy that sets Host anew, the browser's word counts.
            None => vouched == Some("same-origin") || origins.all(|origin| same_host(origin, host)),
        };
        if own && matches!(vouched, None | Some("same-origin" | "none")) {
            Outcome::Success(Self)
        } else {
            Outcome::Error((Problem::ForeignOrigin.class().0, Problem::ForeignOrigin))
        }
    }
}

/// Whether `origin` (RFC 6454) is at `host`. The scheme's own port may be named in either. `null` is at no host.
fn same_host(origin: &str, host: &str) -> bool {
    let (authority, port) = match origin.split_once("://") {
        Some(("http", authority)) => (authority, ":80"),
        Some(("https", authority)) => (authority, ":443"),
        _ => return false,
    };
    let bare = |authority: &str| authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase();
    bare(authority) == bare(host)
}
