//! `/hello/<username>`: save, greet, delete; and the birthday as a calendar.

use chrono::NaiveDate;
use rocket::http::Status;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::{Answer, tag_of};
use super::call::Call;
use super::problem::Problem;
use crate::birthday::{DateOfBirth, Username, calendar, days_until};
use crate::store::{Condition, Write};

/// The greeting.
#[derive(Serialize, ToSchema)]
pub struct Greeting {
    #[schema(example = "Hello, John! Your birthday is in 5 day(s)")]
    message: String,
}

/// The body of a PUT.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewBirthday {
    /// A calendar date, strictly before today in the time zone that applies.
    #[schema(format = Date, pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", example = "1990-05-17")]
    date_of_birth: String,
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
pub async fn greet(username: &str, call: Call<'_>) -> Result<Answer, Problem> {
    let (name, today) = (username.parse::<Username>()?, call.today()?);
    let found = call.find(name).await?;
    let message = match days_until(found.date_of_birth, today, call.settings.birthday.leap_day) {
        0 => format!("Hello, {username}! Happy birthday!"),
        days => format!("Hello, {username}! Your birthday is in {days} day(s)"),
    };
    let body = serde_json::to_string(&Greeting { message }).map_err(|_| Problem::Internal)?;
    Ok(explained(Answer::text("application/json", body), today, found.from_replica))
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
#[put("/hello/<username>")]
pub async fn save(username: &str, call: Call<'_>) -> Result<Answer, Problem> {
    let (name, today) = (username.parse()?, call.today()?);
    call.refuse_other_sites()?;
    let body = call.body("application/json")?;
    // Serde's derived struct would also accept an array of its fields.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::InvalidBody("it is not an object".into()));
    }
    let body: NewBirthday = serde_json::from_slice(body).map_err(|error| Problem::InvalidBody(error.to_string().into()))?;
    let born = DateOfBirth::parse(&body.date_of_birth, today)?;
    match call.write(Write::Save((name, born), call.precondition()?)).await? {
        true => Ok(explained(Answer::new(Status::NoContent), today, false)),
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
pub async fn delete(username: &str, call: Call<'_>) -> Result<Answer, Problem> {
    let name = username.parse()?;
    call.refuse_other_sites()?;
    if call.has_type(&["application/x-www-form-urlencoded", "multipart/form-data"]) {
        return Err(Problem::UnsupportedMediaType("application/json, or none"));
    }
    if call.precondition()? == Condition::IfAbsent {
        return Err(Problem::PreconditionFailed);
    }
    match call.write(Write::Delete(name)).await? {
        true => Ok(Answer::new(Status::NoContent)),
        false => Err(Problem::UnknownUsername),
    }
}

/// The birthday as a calendar to subscribe to
#[utoipa::path(
    tag = "Birthdays",
    params(("username" = String, Path), ("tz" = Option<String>, Query)),
    responses(
        (status = 200, description = "Yearly all-day events (RFC 5545), without the year of birth", body = String, content_type = "text/calendar", headers(
            ("Birthday-Today" = String, description = "The date that counted as today"),
            ("ETag" = String, description = "For `If-None-Match`: 304 while nothing has changed"),
            ("Birthday-Source" = String, description = "`replica` if the primary database could not answer; absent otherwise"),
        )),
        (status = 304), (status = 400), (status = 404), (status = 503),
    )
)]
#[get("/hello/<username>/birthday.ics")]
pub async fn subscribe(username: &str, call: Call<'_>) -> Result<Answer, Problem> {
    let (name, today) = (username.parse::<Username>()?, call.today()?);
    let found = call.find(name.clone()).await?;
    let text = calendar::yearly(&name, found.date_of_birth, today, call.settings.birthday.leap_day);
    let tag = tag_of(&text);
    Ok(explained(Answer::kept(&call, "text/calendar; charset=utf-8", text, tag), today, found.from_replica))
}

/// Adds the date that counted as today, and a header if the replica answered instead of the primary.
fn explained(answer: Answer, today: NaiveDate, from_replica: bool) -> Answer {
    let answer = answer.header("Birthday-Today", today.to_string());
    if from_replica { answer.header("Birthday-Source", "replica") } else { answer }
}
