//! Passes a request from hyper to Rocket, and Rocket's response back. Checks what Rocket does not expose: the host, and a body
//! that is too large or too slow.

use std::net::IpAddr;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Request, Response, StatusCode};
use rocket::http::uri::Origin;
use rocket::http::{Header, Method};
use rocket::local::asynchronous::{Client, LocalResponse};
use tokio::time::{Instant, timeout_at};

use super::call::{LARGEST_BODY, Received};
use super::metrics::Metrics;
use super::page::Assets;
use super::problem::Problem;
use crate::config::Settings;

pub async fn answer(client: &Client, request: Request<Incoming>) -> Response<Bytes> {
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let settings: &Settings = client.rocket().state().expect("lib.rs manages it before the start");
    // Rocket ignores the case of a method, but `delete` is not DELETE (RFC 9110, 9.1).
    let sent = head.method.as_str().parse().ok().filter(|method: &Method| method.as_str() == head.method.as_str());
    let (method, uri, host, body) = match target(&head, sent, settings) {
        Ok((method @ (Method::Put | Method::Post), uri, host)) if !body.is_end_stream() => {
            (method, uri, host, read(body, started + settings.databases.birthdays.deadline()).await)
        }
        Ok((method, uri, host)) => (method, uri, host, Ok(Bytes::new())),
        // No route matches this path, so the catcher answers with the problem.
        Err(problem) => (Method::Get, uri!("/refused"), None, Err(problem)),
    };
    let mut request = client.req(method, uri);
    for (name, value) in head.headers.iter().filter(|(name, _)| *name != header::HOST) {
        // Keep values that are not ASCII: without its tag, a conditional request would become unconditional.
        request.add_header(Header::new(name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    }
    if let Some(host) = host {
        request.add_header(Header::new("host", host.as_str().to_owned()));
    }
    request.inner().local_cache(|| Received { started, method: sent.map_or("other", |method| method.as_str()), body });
    to_hyper(client, request.dispatch().await).await
}

/// The method, path and host of the request.
fn target<'h>(
    head: &'h Parts,
    method: Option<Method>,
    settings: &Settings,
) -> Result<(Method, Origin<'h>, Option<Authority>), Problem> {
    let host = host(head)?;
    let only_here = settings.rocket.address.is_loopback() && settings.public_url.is_none();
    if only_here && host.as_ref().is_some_and(|host| !is_loopback(host.host())) {
        return Err(Problem::MisdirectedRequest);
    }
    let method = method.ok_or(Problem::BadRequest)?;
    let path = head.uri.path_and_query().ok_or(Problem::BadRequest)?;
    Ok((method, Origin::parse(path.as_str()).map_err(|_| Problem::BadRequest)?, host))
}

/// The host that the request is for (RFC 9112, 3.2). Old load balancers send probes without one.
fn host(head: &Parts) -> Result<Option<Authority>, Problem> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if matches!(head.uri.path(), "/livez" | "/readyz") => Ok(None),
        (Some(host), None) => {
            let host = host.to_str().ok().and_then(authority_of).ok_or(Problem::InvalidHost)?;
            // An absolute request target overrides Host.
            Ok(Some(head.uri.authority().cloned().unwrap_or(host)))
        }
        _ => Err(Problem::InvalidHost),
    }
}

/// A host with or without a port (RFC 9110, 7.2).
fn authority_of(text: &str) -> Option<Authority> {
    let authority: Authority = text.parse().ok()?;
    let port = text.strip_prefix(authority.host())?;
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.is_empty() || authority.port_u16().is_some());
    (is_port && !authority.host().is_empty()).then_some(authority)
}

pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

/// The whole body, if it is small enough and arrives in time.
async fn read(body: Incoming, deadline: Instant) -> Result<Bytes, Problem> {
    match timeout_at(deadline, Limited::new(body, LARGEST_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::TooLarge),
        Ok(Err(_)) => Err(Problem::InvalidBody("it is incomplete".into())),
        Err(_) => Err(Problem::RequestTimeout),
    }
}

/// Rocket's response, with the headers that do not depend on the handler.
async fn to_hyper(client: &Client, response: LocalResponse<'_>) -> Response<Bytes> {
    let status = StatusCode::from_u16(response.status().code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    for header in response.headers().iter() {
        let name = HeaderName::try_from(header.name.as_str());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(header.value.as_ref())) {
            headers.append(name, value);
        }
    }
    let size = response.body().preset_size();
    // Clients that read the same page share its text.
    let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let asset = tag.and_then(|tag| client.rocket().state::<Assets>().and_then(|assets| assets.tagged(tag)));
    let body = match asset {
        Some(text) if size.is_some() => text,
        _ => response.into_bytes().await.unwrap_or_default().into(),
    };
    // The answer to HEAD has the length of the body that it omits.
    if let Some(size) = size.filter(|_| body.is_empty()) {
        headers.insert(header::CONTENT_LENGTH, size.into());
    }
    // A script or image tag on another site must not reveal whether a name is known.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    // While draining, clients should open their next connection elsewhere. The rest of a late body is not a request.
    if status == StatusCode::REQUEST_TIMEOUT || client.rocket().state::<Metrics>().is_some_and(Metrics::is_draining) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    *answer.body_mut() = body;
    answer
}
