//! `/hello/<username>`: save, greet, delete; and the birthday as a calendar.

use std::io::Cursor;

use rocket::Route;
use rocket::http::{ContentType, Header, Status};
use rocket::request::Request;
use rocket::response::{self, Responder, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::guards::{Deadline, NewBirthday, Precondition, Today, has_current};
use super::page::tag_of;
use super::problem::Problem;
use super::site::OwnPage;
use crate::birthday::{Username, UsernameError, calendar, days_until};
use crate::config::Settings;
use crate::store::{Birthdays, Condition, Found};

pub fn routes() -> Vec<Route> {
    routes![greet, save, delete, subscribe]
}

type Name = Result<Username, UsernameError>;

/// An answer under `/hello`. Caches store none but the calendar, and ask whether it has changed.
struct Answer {
    today: Option<Today>,
    from_replica: bool,
    body: Option<(ContentType, String)>,
    tag: Option<String>,
}

impl Answer {
    /// Done, and nothing to say about it but which date counted as today.
    fn done(today: Option<Today>) -> Self {
        Self { today, from_replica: false, body: None, tag: None }
    }
}

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response.header(Header::new("Cache-Control", if self.tag.is_some() { "private, no-cache" } else { "no-store" }));
        if let Some(Today(date)) = self.today {
            response.header(Header::new("Birthday-Today", date.to_string()));
        }
        if self.from_replica {
            response.header(Header::new("Birthday-Source", "replica"));
        }
        let unchanged = self.tag.as_ref().is_some_and(|tag| has_current(request, tag));
        if let Some(tag) = self.tag {
            response.header(Header::new("ETag", tag));
        }
        match self.body {
            _ if unchanged => response.status(Status::NotModified),
            Some((kind, body)) => response.header(kind).sized_body(body.len(), Cursor::new(body)),
            None => response.status(Status::NoContent),
        };
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
    params(("username" = String, Path), ("tz" = Option<String>, Query)),
    responses(
        (status = 200, description = "The countdown, or the congratulation on the day itself", body = Greeting, headers(
            ("Birthday-Today" = String, description = "The date that counted as today"),
            ("Birthday-Source" = String, description = "`replica` if the primary database could not answer; absent otherwise"),
        )),
        (status = 400), (status = 404), (status = 503),
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
    Ok(Answer { today: Some(today), from_replica: found.from_replica, body: Some((ContentType::JSON, body)), tag: None })
}

/// Save or replace a date of birth
#[utoipa::path(
    tag = "Birthdays",
    params(
        ("username" = String, Path), ("tz" = Option<String>, Query),
        ("If-Match" = Option<String>, Header), ("If-None-Match" = Option<String>, Header),
    ),
    request_body(content = NewBirthday, description = "1024 bytes at most"),
    responses(
        (status = 204, description = "Saved, and durable", headers(("Birthday-Today" = String, description = "The date that counted as today"))),
        (status = 400), (status = 403), (status = 408), (status = 412), (status = 413), (status = 415), (status = 503),
    )
)]
#[put("/hello/<username>", data = "<body>")]
async fn save(
    username: Name,
    today: Result<Today, Problem>,
    own_page: Result<OwnPage, Problem>,
    precondition: Precondition,
    deadline: Deadline,
    birthdays: &Birthdays,
    body: Result<NewBirthday, Problem>,
) -> Result<Answer, Problem> {
    let (name, today, _) = (username?, today?, own_page?);
    let born = body?.date_of_birth(today)?;
    match birthdays.save(name, born, precondition.0?, deadline.0).await? {
        true => Ok(Answer::done(Some(today))),
        false => Err(Problem::PreconditionFailed),
    }
}

/// Delete a birthday
#[utoipa::path(
    tag = "Birthdays",
    params(("username" = String, Path), ("If-Match" = Option<String>, Header)),
    responses(
        (status = 204, description = "Deleted, and durable"),
        (status = 400), (status = 403), (status = 404), (status = 412), (status = 415), (status = 503),
    )
)]
#[delete("/hello/<username>")]
async fn delete(
    username: Name,
    own_page: Result<OwnPage, Problem>,
    precondition: Precondition,
    kind: Option<&ContentType>,
    deadline: Deadline,
    birthdays: &Birthdays,
) -> Result<Answer, Problem> {
    let (name, _) = (username?, own_page?);
    if kind.is_some_and(|kind| kind.is_form() || kind.is_form_data()) {
        return Err(Problem::UnsupportedMediaType { expected: "application/json, or none" });
    }
    if precondition.0? == Condition::IfAbsent {
        return Err(Problem::PreconditionFailed);
    }
    match birthdays.delete(name, deadline.0).await? {
        true => Ok(Answer::done(None)),
        false => Err(Problem::UnknownUsername),
    }
}

/// The birthday as a calendar to subscribe to
#[utoipa::path(
    tag = "Birthdays",
    params(("username" = String, Path), ("tz" = Option<String>, Query)),
    responses(
        (status = 200, description = "All-day events that return every year (RFC 5545); the year of birth is not in them", body = String, content_type = "text/calendar", headers(
            ("ETag" = String, description = "For `If-None-Match`: 304 while nothing has changed"),
            ("Birthday-Source" = String, description = "`replica` if the primary database could not answer; absent otherwise"),
        )),
        (status = 304), (status = 400), (status = 404), (status = 503),
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
    let tag = Some(tag_of(text.as_bytes()));
    Ok(Answer { today: Some(today), from_replica: found.from_replica, body: Some((kind, text)), tag })
}

async fn find(birthdays: &Birthdays, name: Username, deadline: Deadline) -> Result<Found, Problem> {
    birthdays.find(name, deadline.0).await?.ok_or(Problem::UnknownUsername)
}
