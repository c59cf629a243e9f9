//! `/`: look up a birthday, save one. Everything but deleting works without JavaScript.

use std::collections::HashMap;

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use minijinja::value::Serde;
use minijinja::{Value, context};
use rocket::State;
use rocket::form::{Form, FromForm};
use rocket::http::{RawStr, Status};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::answer::Answer;
use super::super::call::{Call, zone_named};
use super::super::problem::Problem;
use super::{Assets, HTML, protected, render};
use crate::birthday::{DateOfBirth, LeapDay, Username, days_until};
use crate::config::Settings;
use crate::store::{Condition, Write};

/// The fields of the page's forms.
#[derive(FromForm, Serialize, ToSchema)]
pub struct Entry {
    /// 1 to 64 ASCII letters, case-sensitive.
    #[field(default = "")]
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z]{1,64}$", example = "John")]
    username: String,
    /// A calendar date, strictly before today in the time zone that applies.
    #[field(name = "dateOfBirth", default = "")]
    #[schema(rename = "dateOfBirth", format = Date, pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", example = "1990-05-17")]
    date_of_birth: String,
    /// IANA time zone that decides which date is today; empty for the service's own.
    #[field(default = "")]
    #[schema(required = false, example = "Europe/Amsterdam")]
    tz: String,
}

/// The page, with the countdown if a username is given
#[utoipa::path(
    tag = "Web page",
    operation_id = "home",
    params(("username" = Option<String>, Query), ("tz" = Option<String>, Query)),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 304),
        (status = 400, description = "The page, with the error beside the field", body = String, content_type = "text/html"),
        (status = 404, description = "The page: no birthday is saved under that name", body = String, content_type = "text/html"),
        (status = 503, description = "The page: the database does not answer", body = String, content_type = "text/html"),
    )
)]
#[get("/?<username>&<tz>")]
pub async fn home(username: Option<&str>, tz: Option<&str>, call: Call<'_>, assets: &State<Assets>) -> Result<Answer, Problem> {
    let asked = call.zone_asked_for();
    if username.is_none() && matches!(asked, Ok(None)) {
        return assets.named("/", &call);
    }
    let entry = asking_for(username, tz);
    let name = username.map(|name| name.parse::<Username>().map_err(Problem::from)).transpose();
    let outcome = match (name, asked.and_then(|_| zone(&entry, &call))) {
        (Ok(None), Ok(_)) => Ok(None),
        (Ok(Some(name)), Ok(zone)) => person(name, zone, &call).await.map(Some).map_err(|problem| vec![problem]),
        (name, zone) => Err([name.err(), zone.err()].into_iter().flatten().collect()),
    };
    Ok(page("lookup", &entry, &call, outcome))
}

/// Save or replace a date of birth with the page's form
#[utoipa::path(
    tag = "Web page",
    operation_id = "save_from_page",
    request_body(content = Entry, content_type = "application/x-www-form-urlencoded", description = "1024 bytes at most"),
    responses(
        (status = 303, description = "Saved, and durable; `Location` is the page with the countdown"),
        (status = 400, description = "The page, with an error beside each invalid field", body = String, content_type = "text/html"),
        (status = 403), (status = 408), (status = 413), (status = 415),
        (status = 503, description = "The page: the database does not answer", body = String, content_type = "text/html"),
    )
)]
#[post("/save")]
pub async fn save(call: Call<'_>) -> Result<Answer, Problem> {
    call.refuse_other_sites()?;
    let body = String::from_utf8_lossy(call.body("application/x-www-form-urlencoded")?);
    let entry: Entry = Form::parse_encoded(RawStr::new(&body)).map_err(|_| Problem::BadRequest)?;
    let name = entry.username.parse::<Username>().map_err(Problem::from);
    let zone = zone(&entry, &call);
    // The date is checked even if the zone is wrong, so that all errors show at once.
    let today = call.today_in(*zone.as_ref().unwrap_or(&call.settings.birthday.time_zone));
    let born = DateOfBirth::parse(&entry.date_of_birth, today).map_err(Problem::from);
    let problems = match (name, born, zone) {
        (Ok(name), Ok(born), Ok(_)) => match call.write(Write::Save((name, born), Condition::None)).await {
            Ok(_) => {
                let tz = Some(entry.tz.as_str()).filter(|tz| !tz.is_empty());
                let there = uri!(home(Some(entry.username.as_str()), tz));
                return Ok(Answer::new(Status::SeeOther).header("Location", there.to_string()));
            }
            Err(problem) => vec![problem],
        },
        (name, born, zone) => [name.err(), born.err(), zone.err()].into_iter().flatten().collect(),
    };
    Ok(page("save", &entry, &call, Err(problems)))
}

/// The time zone to use. Forms also send empty fields: the service's own zone then applies.
fn zone(entry: &Entry, call: &Call<'_>) -> Result<Tz, Problem> {
    if entry.tz.is_empty() { Ok(call.settings.birthday.time_zone) } else { zone_named(&entry.tz) }
}

/// A person's next birthday.
async fn person(name: Username, zone: Tz, call: &Call<'_>) -> Result<Value, Problem> {
    let today = call.today_in(zone);
    let found = call.find(name.clone()).await?;
    let days = days_until(found.date_of_birth, today, call.settings.birthday.leap_day);
    // One format for programs, and one for visitors without scripts; others see the date in their own language.
    let day = |date: NaiveDate| context! { iso => date.to_string(), long => date.format("%A, %-d %B %Y").to_string() };
    Ok(context! {
        name => name.as_str(),
        today => day(today),
        next => day(today + Days::new(days.into())),
        days,
        born_on_leap_day => found.date_of_birth.is_leap_day(),
        from_replica => found.from_replica,
    })
}

/// The page after the form `sent`, which is `lookup` or `save`. Each problem appears beside the field that it concerns.
fn page(sent: &str, entry: &Entry, call: &Call<'_>, outcome: Result<Option<Value>, Vec<Problem>>) -> Answer {
    let (person, problems) = outcome.map_or_else(|problems| (None, problems), |person| (person, vec![]));
    let status = problems.first().map_or(Status::Ok, |problem| problem.class().0);
    let field = |problem: &Problem| match problem {
        Problem::InvalidUsername(_) | Problem::UnknownUsername => "-username",
        Problem::InvalidDateOfBirth(_) => "-dateOfBirth",
        Problem::InvalidTimeZone(_) => "-tz",
        _ => "",
    };
    let errors = problems.iter().map(|problem| (format!("{sent}{}", field(problem)), problem.to_string())).collect();
    protected(Answer::text(HTML, html(entry, &call.site(), call.settings, person, errors)).status(status))
}

/// The page with empty forms.
pub fn empty(settings: &Settings) -> String {
    html(&asking_for(None, None), "", settings, None, HashMap::new())
}

fn asking_for(username: Option<&str>, tz: Option<&str>) -> Entry {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    Entry { username: text(username), date_of_birth: String::new(), tz: text(tz) }
}

fn html(entry: &Entry, site: &str, settings: &Settings, person: Option<Value>, errors: HashMap<String, String>) -> String {
    let own_zone = settings.birthday.time_zone.name();
    let context = context! {
        errors, own_zone, person, site,
        entry => Serde(entry),
        host => site.rsplit('/').next(),
        zone => if entry.tz.is_empty() { own_zone } else { &entry.tz },
        substitute => match settings.birthday.leap_day {
            LeapDay::Mar1 => "1 March",
            LeapDay::Feb28 => "28 February",
        },
    };
    render("home.html", context)
}
