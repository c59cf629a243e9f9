//! `/hello/<username>`: save, greet, forget; and the birthday as a calendar.

use std::io::Cursor;

use rocket::Route;
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::guards::{Deadline, NewBirthday, Today};
use super::problem::{Document, Problem};
use crate::birthday::{Username, UsernameError, calendar, days_until};
use crate::config::Settings;
use crate::store::{Birthdays, Condition, Found};

pub fn routes() -> Vec<Route> {
    routes![greet, save, forget, subscribe]
}

type Name = Result<Username, UsernameError>;

/// An answer under `/hello`: never stored by caches, and it says which date counted as today.
struct Answer {
    status: Status,
    today: Option<Today>,
    from_replica: bool,
    body: Option<(ContentType, String)>,
}

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response.status(self.status).header(Header::new("Cache-Control", "no-store"));
        if let Some(Today(date)) = self.today {
            response.header(Header::new("Birthday-Today", date.to_string()));
        }
        if self.from_replica {
            response.header(Header::new("Birthday-Source", "replica"));
        }
        if let Some((kind, body)) = self.body {
            response.header(kind).sized_body(body.len(), Cursor::new(body));
        }
        response.ok()
    }
}

/// The greeting.
#[derive(Serialize, ToSchema)]
pub struct Greeting {
    #[schema(example = "Hello, John! Your birthday is in 5 day(s)")]
    message: String,
}

/// How many days remain until the birthday
#[utoipa::path(
    tag = "Birthdays",
    params(
        ("username" = String, Path, description = "1 to 64 ASCII letters, case matters", min_length = 1, max_length = 64, pattern = "^[A-Za-z]{1,64}$", example = "John"),
        ("tz" = Option<String>, Query, description = "IANA time zone that decides which date is today, in place of the service's own", example = "Europe/Amsterdam"),
    ),
    responses(
        (status = 200, description = "The countdown, or the congratulation on the day itself", body = Greeting, headers(
            ("Birthday-Today" = String, description = "The date that counted as today"),
            ("Birthday-Source" = String, description = "`replica` if the primary database could not answer; absent otherwise"),
        )),
        (status = 400, description = "Username or time zone not valid", body = Document, content_type = "application/problem+json"),
        (status = 404, description = "Nobody of that name is known", body = Document, content_type = "application/problem+json"),
        (status = 503, description = "The database cannot be reached, is overloaded or too slow; `Retry-After` says when to try again", body = Document, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
    )
)]
#[get("/hello/<username>")]
async fn greet(
    username: Name,
    today: Result<Today, Problem>,
    deadline: Deadline,
    birthdays: &Birthdays,
    settings: &rocket::State<Settings>,
) -> Result<Answer, Problem> {
    let (name, today) = (username?, today?);
    let found = find(birthdays, name.clone(), deadline).await?;
    let message = match days_until(found.date_of_birth, today.0, settings.birthday.leap_day) {
        0 => format!("Hello, {name}! Happy birthday!"),
        days => format!("Hello, {name}! Your birthday is in {days} day(s)"),
    };
    let body = serde_json::to_string(&Greeting { message }).map_err(|_| Problem::Internal)?;
    Ok(Answer { status: Status::Ok, today: Some(today), from_replica: found.from_replica, body: Some((ContentType::JSON, body)) })
}

/// Save or replace a date of birth
#[utoipa::path(
    tag = "Birthdays",
    params(
        ("username" = String, Path, description = "1 to 64 ASCII letters, case matters", min_length = 1, max_length = 64, pattern = "^[A-Za-z]{1,64}$", example = "John"),
        ("tz" = Option<String>, Query, description = "IANA time zone that decides which date is today, in place of the service's own", example = "Europe/Amsterdam"),
    ),
    request_body(content = NewBirthday, description = "1024 bytes at most"),
    responses(
        (status = 204, description = "Saved, and durable", headers(("Birthday-Today" = String, description = "The date that counted as today"))),
        (status = 400, description = "Username, time zone or body not valid", body = Document, content_type = "application/problem+json"),
        (status = 405, description = "A form pretends to be this method", body = Document, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time", body = Document, content_type = "application/problem+json"),
        (status = 413, description = "The body is larger than 1024 bytes", body = Document, content_type = "application/problem+json"),
        (status = 415, description = "The content type is not application/json", body = Document, content_type = "application/problem+json"),
        (status = 503, description = "The database cannot be reached, is overloaded or too slow; `Retry-After` says when to try again", body = Document, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
    )
)]
#[put("/hello/<username>", data = "<body>")]
async fn save(
    username: Name,
    today: Result<Today, Problem>,
    deadline: Deadline,
    birthdays: &Birthdays,
    body: Result<NewBirthday, Problem>,
) -> Result<Answer, Problem> {
    let (name, today) = (username?, today?);
    let born = body?.date_of_birth(today)?;
    birthdays.save(name, born, Condition::None, deadline.0).await?;
    Ok(Answer { status: Status::NoContent, today: Some(today), from_replica: false, body: None })
}

/// Forget a person
#[utoipa::path(
    tag = "Birthdays",
    params(("username" = String, Path, description = "1 to 64 ASCII letters, case matters", min_length = 1, max_length = 64, pattern = "^[A-Za-z]{1,64}$", example = "John")),
    responses(
        (status = 204, description = "Forgotten, and durable"),
        (status = 400, description = "Username not valid", body = Document, content_type = "application/problem+json"),
        (status = 404, description = "Nobody of that name is known", body = Document, content_type = "application/problem+json"),
        (status = 405, description = "A form pretends to be this method", body = Document, content_type = "application/problem+json"),
        (status = 503, description = "The database cannot be reached, is overloaded or too slow; `Retry-After` says when to try again", body = Document, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
    )
)]
#[delete("/hello/<username>")]
async fn forget(username: Name, deadline: Deadline, birthdays: &Birthdays) -> Result<Answer, Problem> {
    match birthdays.delete(username?, deadline.0).await? {
        true => Ok(Answer { status: Status::NoContent, today: None, from_replica: false, body: None }),
        false => Err(Problem::UnknownUsername),
    }
}

/// The birthday as a calendar to subscribe to
#[utoipa::path(
    tag = "Birthdays",
    params(
        ("username" = String, Path, description = "1 to 64 ASCII letters, case matters", min_length = 1, max_length = 64, pattern = "^[A-Za-z]{1,64}$", example = "John"),
        ("tz" = Option<String>, Query, description = "IANA time zone that decides which date is today, in place of the service's own", example = "Europe/Amsterdam"),
    ),
    responses(
        (status = 200, description = "One all-day event that returns every year (RFC 5545); the year of birth is not in it", body = String, content_type = "text/calendar", headers(
            ("Birthday-Source" = String, description = "`replica` if the primary database could not answer; absent otherwise"),
        )),
        (status = 400, description = "Username or time zone not valid", body = Document, content_type = "application/problem+json"),
        (status = 404, description = "Nobody of that name is known", body = Document, content_type = "application/problem+json"),
        (status = 503, description = "The database cannot be reached, is overloaded or too slow; `Retry-After` says when to try again", body = Document, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
    )
)]
#[get("/hello/<username>/birthday.ics")]
async fn subscribe(
    username: Name,
    today: Result<Today, Problem>,
    deadline: Deadline,
    birthdays: &Birthdays,
    settings: &rocket::State<Settings>,
) -> Result<Answer, Problem> {
    let (name, today) = (username?, today?);
    let found = find(birthdays, name.clone(), deadline).await?;
    let text = calendar::yearly(&name, found.date_of_birth, today.0, settings.birthday.leap_day);
    let kind = ContentType::new("text", "calendar").with_params(("charset", "utf-8"));
    Ok(Answer { status: Status::Ok, today: Some(today), from_replica: found.from_replica, body: Some((kind, text)) })
}

async fn find(birthdays: &Birthdays, name: Username, deadline: Deadline) -> Result<Found, Problem> {
    birthdays.find(name, deadline.0).await?.ok_or(Problem::UnknownUsername)
}
