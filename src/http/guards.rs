//! What handlers take from a request: the name, the date that counts as today, the deadline, preconditions, the body.

use chrono::NaiveDate;
use chrono_tz::{TZ_VARIANTS, Tz};
use rocket::data::{Data, FromData, Outcome as DataOutcome, ToByteUnit};
use rocket::http::Method;
use rocket::request::{FromParam, FromRequest, Outcome, Request};
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::birthday::{DateOfBirth, Username, UsernameError, today_in};
use crate::clock::Clock;
use crate::config::Settings;
use crate::store::Condition;

/// The largest body, in bytes.
pub const LARGEST_BODY: usize = 1024;

impl<'r> FromParam<'r> for Username {
    type Error = UsernameError;

    fn from_param(segment: &'r str) -> Result<Self, UsernameError> {
        segment.parse()
    }
}

/// The date that counts as today for this request: in the zone of `?tz=`, or else of the settings.
#[derive(Clone, Copy)]
pub struct Today(pub NaiveDate);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Today {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        let zone = match zone_asked_for(request).and_then(|name| name.map(zone_named).transpose()) {
            Ok(zone) => zone.unwrap_or_else(|| state::<Settings>(request).birthday.time_zone),
            Err(problem) => return Outcome::Error((problem.class().0, problem)),
        };
        Outcome::Success(Self(today_in(zone, state::<Clock>(request).now())))
    }
}

/// The value of `tz`, which may be given once.
fn zone_asked_for<'r>(request: &'r Request<'_>) -> Result<Option<&'r str>, Problem> {
    let mut names = request.query_fields().filter(|field| field.name == "tz").map(|field| field.value);
    match (names.next(), names.next()) {
        (Some(_), Some(_)) => Err(Problem::InvalidTimeZone("tz may be given once".to_owned())),
        (name, _) => Ok(name),
    }
}

/// The IANA time zone of this name, in any case. A `+` that was not sent as `%2B` arrives as a space.
pub fn zone_named(name: &str) -> Result<Tz, Problem> {
    let name = name.replace(' ', "+");
    let in_any_case = || TZ_VARIANTS.into_iter().find(|zone| zone.name().eq_ignore_ascii_case(&name));
    name.parse().ok().or_else(in_any_case).ok_or_else(|| {
        Problem::InvalidTimeZone("tz must be a time zone of the IANA database, such as Europe/Amsterdam".to_owned())
    })
}

/// The request gives `tz` once at the most.
pub struct OneZone;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for OneZone {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        match zone_asked_for(request) {
            Ok(_) => Outcome::Success(Self),
            Err(problem) => Outcome::Error((problem.class().0, problem)),
        }
    }
}

/// When the answer is due, counted from the moment the request was read.
#[derive(Clone, Copy)]
pub struct Deadline(pub Instant);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Deadline {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let limit = state::<Settings>(request).databases.birthdays.deadline();
        Outcome::Success(Self(received(request).started + limit))
    }
}

/// What [`dispatch`](super::dispatch) knows about a request and Rocket does not.
pub struct Received {
    pub started: Instant,
    /// As it was sent: the form of a POST may name another one to Rocket.
    pub method: Method,
    /// Why the body is missing.
    pub refused: Option<Problem>,
}

pub fn received<'r>(request: &'r Request<'_>) -> &'r Received {
    request.local_cache(|| Received { started: Instant::now(), method: request.method(), refused: None })
}

pub fn state<'r, T: Send + Sync + 'static>(request: &'r Request<'_>) -> &'r T {
    request.rocket().state().expect("it is managed before the start")
}

/// Whether one of the tags of `If-None-Match` is `tag`, by weak comparison (RFC 9110, 13.1.2). Tags of this service hold no comma.
pub fn has_current(request: &Request<'_>, tag: &str) -> bool {
    let mut tags = request.headers().get("If-None-Match").flat_map(|tags| tags.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

/// What PUT and DELETE make depend on the present state (RFC 9110, 13.1). A birthday has no tag that `If-Match` could name.
pub struct Precondition(pub Result<Condition, Problem>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Precondition {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let any = |name: &str| request.headers().get(name).any(|tags| tags.trim() == "*");
        let condition = match (request.headers().contains("If-Match"), any("If-Match"), any("If-None-Match")) {
            (false, _, false) => Ok(Condition::None),
            (false, _, true) => Ok(Condition::IfAbsent),
            (true, true, false) => Ok(Condition::IfPresent),
            (true, _, _) => Err(Problem::PreconditionFailed),
        };
        Outcome::Success(Self(condition))
    }
}

/// The body of a PUT.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewBirthday {
    /// A calendar date, strictly before today in the zone that applies.
    #[schema(format = Date, pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", example = "1990-05-17")]
    date_of_birth: String,
}

impl NewBirthday {
    pub fn date_of_birth(&self, today: Today) -> Result<DateOfBirth, Problem> {
        Ok(DateOfBirth::parse(&self.date_of_birth, today.0)?)
    }
}

#[rocket::async_trait]
impl<'r> FromData<'r> for NewBirthday {
    type Error = Problem;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> DataOutcome<'r, Self> {
        match read_body(request, data).await {
            Ok(body) => DataOutcome::Success(body),
            Err(problem) => DataOutcome::Error((problem.class().0, problem)),
        }
    }
}

/// The whole body of content type `expected`. [`dispatch`](super::dispatch) has read it.
pub async fn read(request: &Request<'_>, data: Data<'_>, expected: &'static str) -> Result<Vec<u8>, Problem> {
    if !request
        .content_type()
        .is_some_and(|kind| expected.split_once('/').is_some_and(|(top, sub)| kind.top() == top && kind.sub() == sub))
    {
        return Err(Problem::UnsupportedMediaType { expected });
    }
    if request.headers().get("Content-Encoding").any(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(Problem::UnsupportedCoding);
    }
    if let Some(problem) = &received(request).refused {
        return Err(problem.clone());
    }
    let body = data.open(LARGEST_BODY.bytes()).into_bytes().await.map_err(|_| Problem::BadRequest)?;
    if body.is_complete() { Ok(body.into_inner()) } else { Err(Problem::TooLarge) }
}

async fn read_body(request: &Request<'_>, data: Data<'_>) -> Result<NewBirthday, Problem> {
    let body = read(request, data, "application/json").await?;
    // A derived struct also accepts an array of its fields.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::InvalidBody("it is not an object".to_owned()));
    }
    serde_json::from_slice(&body).map_err(|error| Problem::InvalidBody(error.to_string()))
}
