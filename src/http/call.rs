//! What handlers read from a request: the date that counts as today, which site's page sent it, preconditions, the body.

use chrono::NaiveDate;
use chrono_tz::{TZ_VARIANTS, Tz};
use hyper::body::Bytes;
use rocket::http::uri::Origin;
use rocket::http::{HeaderMap, Method};
use rocket::request::{FromRequest, Outcome, Request};
use rocket_db_pools::Database;
use tokio::time::Instant;
use url::Url;

use super::dispatch::is_loopback;
use super::problem::Problem;
use crate::birthday::Username;
use crate::clock::Clock;
use crate::config::Settings;
use crate::store::{Birthdays, Condition, Found, Write};

pub const LARGEST_BODY: usize = 1024;

/// The parts of a request that are hidden from Rocket. Rocket would let a form's `_method` field override the method, and any web
/// page could make a browser send that.
pub struct Received {
    pub started: Instant,
    /// As the client sent it, or `other`: Rocket turns HEAD into GET.
    pub method: &'static str,
    /// The body, or why the request or its body is refused.
    pub body: Result<Bytes, Problem>,
}

impl Received {
    pub fn now(body: impl Into<Bytes>) -> Self {
        Self { started: Instant::now(), method: "other", body: Ok(body.into()) }
    }

    pub fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(|| Self::now(""))
    }
}

/// A request, and what its handler needs to answer it.
pub struct Call<'r> {
    pub settings: &'r Settings,
    birthdays: &'r Birthdays,
    /// When the answer is due, counted from the moment the request's head was read.
    deadline: Instant,
    received: &'r Received,
    method: Method,
    uri: &'r Origin<'r>,
    headers: &'r HeaderMap<'r>,
    clock: &'r Clock,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Call<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let rocket = request.rocket();
        let settings: &Settings = rocket.state().expect("lib.rs manages it before the start");
        let received = Received::of(request);
        Outcome::Success(Self {
            settings,
            birthdays: Birthdays::fetch(rocket).expect("lib.rs attaches it before the start"),
            deadline: received.started + settings.databases.birthdays.deadline(),
            received,
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            clock: rocket.state().expect("lib.rs manages it before the start"),
        })
    }
}

impl Call<'_> {
    /// The date that counts as today, in the time zone of `?tz=` or else of the settings.
    pub fn today(&self) -> Result<NaiveDate, Problem> {
        Ok(self.today_in(self.zone_asked_for()?.map_or(Ok(self.settings.birthday.time_zone), zone_named)?))
    }

    pub fn today_in(&self, zone: Tz) -> NaiveDate {
        self.clock.now().with_timezone(&zone).date_naive()
    }

    /// The value of `tz`, which may be given only once.
    pub fn zone_asked_for(&self) -> Result<Option<&str>, Problem> {
        let mut zones = self.uri.query().into_iter().flat_map(|query| query.segments()).filter(|(name, _)| *name == "tz");
        match (zones.next(), zones.next()) {
            (Some(_), Some(_)) => Err(Problem::InvalidTimeZone("tz may be given only once")),
            (zone, _) => Ok(zone.map(|(_, zone)| zone)),
        }
    }

    pub async fn find(&self, name: Username) -> Result<Found, Problem> {
        self.birthdays.find(name, self.deadline).await?.ok_or(Problem::UnknownUsername)
    }

    pub async fn write(&self, write: Write) -> Result<bool, Problem> {
        Ok(self.birthdays.write(write, self.deadline).await?)
    }

    /// Where users reach this service: the setting `public_url`, or else the URL in the request's headers.
    pub fn site(&self) -> String {
        self.settings.public_url.clone().unwrap_or_else(|| {
            let scheme = self.header("X-Forwarded-Proto").filter(|scheme| *scheme == "https").unwrap_or("http");
            format!("{scheme}://{}", self.header("Host").unwrap_or_default())
        })
    }

    /// Refuses requests from pages of other sites. Programs, which send neither `Origin` nor `Sec-Fetch-Site`, may pass.
    ///
    /// Browsers send a preflight request before a PUT or DELETE to another site, and this service does not allow it. With DNS
    /// rebinding, where an attacker's name resolves to this machine, browsers see the same site; `public_url` tells them apart.
    pub fn refuse_other_sites(&self) -> Result<(), Problem> {
        let fetch_site = self.header("Sec-Fetch-Site");
        let public_url = self.settings.public_url.as_ref();
        // Compared as URLs: `null` is not one, and the scheme's default port makes no difference.
        let is_own = |origin: &str| {
            Url::parse(origin).is_ok_and(|origin| {
                let here = || format!("{}://{}", origin.scheme(), self.header("Host").unwrap_or_default());
                Url::parse(&public_url.cloned().unwrap_or_else(here)).is_ok_and(|mut own| {
                    // People type `localhost` as well as `127.0.0.1`.
                    let local = [&own, &origin].iter().all(|url| url.host_str().is_some_and(is_loopback));
                    (!local || own.set_host(origin.host_str()).is_ok()) && own.origin() == origin.origin()
                })
            })
        };
        // Behind a proxy that replaces Host, the browser's Sec-Fetch-Site counts.
        let trusted = public_url.is_none() && (self.method != Method::Post || fetch_site == Some("same-origin"));
        let own = trusted || self.headers.get("Origin").all(is_own);
        if own && matches!(fetch_site, None | Some("same-origin" | "none")) { Ok(()) } else { Err(Problem::ForeignOrigin) }
    }

    /// Whether one of the tags in `If-None-Match` is `tag`, by weak comparison (RFC 9110, 13.1.2). Tags here have no comma.
    pub fn knows(&self, tag: &str) -> bool {
        let mut tags = self.headers.get("If-None-Match").flat_map(|tags| tags.split(',')).map(str::trim);
        tags.any(|known| known == "*" || known.trim_start_matches("W/") == tag)
    }

    /// The precondition of a PUT or DELETE (RFC 9110, 13.1). Birthdays have no tags that `If-Match` could name.
    pub fn precondition(&self) -> Result<Condition, Problem> {
        let header = |name| self.header(name).map(str::trim);
        match (header("If-Match"), header("If-None-Match")) {
            (None, Some("*")) => Ok(Condition::IfAbsent),
            (None, _) => Ok(Condition::None),
            (Some("*"), known) if known != Some("*") => Ok(Condition::IfPresent),
            (Some(_), _) => Err(Problem::PreconditionFailed),
        }
    }

    /// Whether the content type is one of `kinds`, ignoring its parameters.
    pub fn has_type(&self, kinds: &[&str]) -> bool {
        let essence = self.header("Content-Type").and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        kinds.iter().any(|kind| essence.eq_ignore_ascii_case(kind))
    }

    /// The whole body, which must have the content type `expected`.
    pub fn body(&self, expected: &'static str) -> Result<&[u8], Problem> {
        if !self.has_type(&[expected]) {
            return Err(Problem::UnsupportedMediaType(expected));
        }
        if self.headers.get("Content-Encoding").any(|coding| !coding.eq_ignore_ascii_case("identity")) {
            return Err(Problem::UnsupportedCoding);
        }
        self.received.body.as_deref().map_err(Problem::clone)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get_one(name)
    }
}

/// The IANA time zone of this name, ignoring case. A `+` that was not sent as `%2B` arrives as a space.
pub fn zone_named(name: &str) -> Result<Tz, Problem> {
    let name = name.replace(' ', "+");
    let in_any_case = || TZ_VARIANTS.into_iter().find(|zone| zone.name().eq_ignore_ascii_case(&name));
    let unknown = "tz must be a time zone of the IANA database, such as Europe/Amsterdam";
    name.parse().ok().or_else(in_any_case).ok_or(Problem::InvalidTimeZone(unknown))
}
