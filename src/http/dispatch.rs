//! One request from hyper to Rocket, and Rocket's response back. What Rocket hides is judged here: the method as it was sent, the
//! host, and a body that is too large or too slow.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Request, Response, StatusCode};
use rocket::http::uri::Origin;
use rocket::http::{Header, Method};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{Orbit, Rocket};
use tokio::time::{Instant, timeout_at};

use super::guards::{LARGEST_BODY, Received};
use super::metrics::Metrics;
use super::page::Assets;
use super::problem::Problem;
use super::site::{authority_of, is_loopback};
use crate::config::Settings;

type Answer = Response<Full<Bytes>>;

pub async fn answer(client: &Client, remote: SocketAddr, request: Request<Incoming>) -> Answer {
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let rocket = client.rocket();
    let mut answer = match Target::of(&head, settings(rocket)) {
        Ok(target) => dispatch(client, remote, &head, target, body, started).await,
        Err(problem) => {
            let metrics: &Metrics = rocket.state().expect("the stage manages it");
            metrics.refused(problem.class().0, started);
            refusal(&problem)
        }
    };
    // A script or an image tag on another site must not tell a name that is known from one that is not.
    let headers = answer.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    answer
}

fn settings(rocket: &Rocket<Orbit>) -> &Settings {
    rocket.state().expect("lib.rs manages it before the start")
}

/// What a request is about, by its first line and its Host.
struct Target<'h> {
    method: Method,
    uri: Origin<'h>,
    host: Option<Authority>,
}

impl<'h> Target<'h> {
    fn of(head: &'h Parts, settings: &Settings) -> Result<Self, Problem> {
        let host = host(head)?;
        if settings.rocket.address.is_loopback()
            && settings.public_url.is_none()
            && !host.as_ref().is_none_or(|host| is_loopback(host.host()))
        {
            return Err(Problem::MisdirectedRequest);
        }
        let method = head.method.as_str().parse().map_err(|_| Problem::BadRequest)?;
        let path = head.uri.path_and_query().ok_or(Problem::BadRequest)?;
        let uri = Origin::parse(path.as_str()).map_err(|_| Problem::BadRequest)?;
        Ok(Self { method, uri, host })
    }
}

/// The host that the request is for (RFC 9112, 3.2). Old load balancers probe without one.
fn host(head: &Parts) -> Result<Option<Authority>, Problem> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if matches!(head.uri.path(), "/livez" | "/readyz") => Ok(None),
        (Some(host), None) => {
            let host = host.to_str().ok().and_then(authority_of).ok_or(Problem::InvalidHost)?;
            // An absolute target takes the place of Host.
            Ok(Some(head.uri.authority().cloned().unwrap_or(host)))
        }
        _ => Err(Problem::InvalidHost),
    }
}

async fn dispatch(
    client: &Client,
    remote: SocketAddr,
    head: &Parts,
    target: Target<'_>,
    body: Incoming,
    started: Instant,
) -> Answer {
    let deadline = started + settings(client.rocket()).databases.birthdays.deadline();
    let takes_body = matches!(target.method, Method::Put | Method::Post) && !body.is_end_stream();
    let body = if takes_body { read(body, deadline).await } else { Ok(Bytes::new()) };
    let mut request = client.req(target.method, target.uri).remote(remote);
    for (name, value) in head.headers.iter().filter(|(name, _)| *name != header::HOST) {
        if let Ok(value) = value.to_str() {
            request.add_header(Header::new(name.as_str().to_owned(), value.to_owned()));
        }
    }
    if let Some(host) = target.host {
        request.add_header(Header::new("host", host.as_str().to_owned()));
    }
    let refused = body.as_ref().err().cloned();
    request.set_body(body.unwrap_or_default());
    request.inner().local_cache(|| Received { started, method: target.method, refused });
    to_hyper(request.dispatch().await, client.rocket()).await
}

/// The whole body, if it is small enough and arrives in time.
async fn read(body: Incoming, deadline: Instant) -> Result<Bytes, Problem> {
    match timeout_at(deadline, Limited::new(body, LARGEST_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::TooLarge),
        Ok(Err(_)) => Err(Problem::InvalidBody("it did not arrive whole".to_owned())),
        Err(_) => Err(Problem::RequestTimeout),
    }
}

async fn to_hyper(response: LocalResponse<'_>, rocket: &Rocket<Orbit>) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::from_u16(response.status().code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    for header in response.headers().iter() {
        let name = HeaderName::try_from(header.name.as_str());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(header.value.as_ref())) {
            headers.append(name, value);
        }
    }
    let size = response.body().preset_size();
    // Many clients may be reading a page: they share its text.
    let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let asset = tag.and_then(|tag| rocket.state::<Assets>().and_then(|assets| assets.tagged(tag)));
    let body = match asset {
        Some(text) if size.is_some() => text,
        _ => response.into_bytes().await.unwrap_or_default().into(),
    };
    // The answer to HEAD has the length of the body that it lacks.
    if let Some(size) = size.filter(|_| body.is_empty()) {
        headers.insert(header::CONTENT_LENGTH, size.into());
    }
    *answer.body_mut() = Full::new(body);
    answer
}

/// The answer to what Rocket does not get to see.
fn refusal(problem: &Problem) -> Answer {
    let mut answer = Answer::new(Full::from(problem.json()));
    *answer.status_mut() = StatusCode::from_u16(problem.class().0.code).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
