//! What handlers take from a request: the name, the date that counts as today, the deadline, the body.

use chrono::NaiveDate;
use chrono_tz::Tz;
use rocket::data::{Data, FromData, Outcome as DataOutcome, ToByteUnit};
use rocket::http::Status;
use rocket::request::{FromParam, FromRequest, Outcome, Request};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;

use super::problem::Problem;
use crate::birthday::{DateOfBirth, Username, UsernameError, today_in};
use crate::clock::Clock;
use crate::config::Settings;

/// The largest body, in bytes.
const LARGEST_BODY: usize = 1024;

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
        let zone = match zone_asked_for(request) {
            Ok(zone) => zone.unwrap_or_else(|| state::<Settings>(request).birthday.time_zone),
            Err(problem) => return Outcome::Error((Status::BadRequest, problem)),
        };
        Outcome::Success(Self(today_in(zone, state::<Clock>(request).now())))
    }
}

fn zone_asked_for(request: &Request<'_>) -> Result<Option<Tz>, Problem> {
    if request.uri().query().is_none() {
        return Ok(None);
    }
    let mut names = request.query_fields().filter(|field| field.name == "tz").map(|field| field.value);
    match (names.next(), names.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(Problem::InvalidTimeZone("tz may be given once".to_owned())),
        (Some(name), None) => zone_named(name).map(Some),
    }
}

pub fn zone_named(name: &str) -> Result<Tz, Problem> {
    name.parse()
        .map_err(|_| Problem::InvalidTimeZone("tz must be a time zone of the IANA database, such as Europe/Amsterdam".to_owned()))
}

/// When the answer is due, counted from the moment the request was read.
#[derive(Clone, Copy)]
pub struct Deadline(pub Instant);

impl Deadline {
    fn of(request: &Request<'_>) -> Self {
        Self(started(request) + state::<Settings>(request).databases.birthdays.deadline())
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Deadline {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self::of(request))
    }
}

/// When work on the request began; the first call notes it.
pub fn started(request: &Request<'_>) -> Instant {
    struct Started(Instant);
    request.local_cache(|| Started(Instant::now())).0
}

fn state<'r, T: Send + Sync + 'static>(request: &'r Request<'_>) -> &'r T {
    request.rocket().state().expect("lib.rs manages it before the start")
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

/// The whole body, if it is small enough and arrives before the deadline.
pub async fn read(request: &Request<'_>, data: Data<'_>) -> Result<Vec<u8>, Problem> {
    let Deadline(deadline) = Deadline::of(request);
    let body = timeout_at(deadline, data.open(LARGEST_BODY.bytes()).into_bytes()).await;
    let body =
        body.map_err(|_| Problem::RequestTimeout)?.map_err(|_| Problem::InvalidBody("it did not arrive whole".to_owned()))?;
    if body.is_complete() { Ok(body.into_inner()) } else { Err(Problem::TooLarge) }
}

async fn read_body(request: &Request<'_>, data: Data<'_>) -> Result<NewBirthday, Problem> {
    if !request.content_type().is_some_and(|kind| kind.is_json()) {
        return Err(Problem::UnsupportedMediaType { expected: "application/json" });
    }
    let body = read(request, data).await?;
    // A derived struct also accepts an array of its fields.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::InvalidBody("it is not an object".to_owned()));
    }
    serde_json::from_slice(&body).map_err(|error| Problem::InvalidBody(error.to_string()))
}
