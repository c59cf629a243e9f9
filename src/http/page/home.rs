//! `/`: look up a birthday, save one. Everything but deleting works without JavaScript.

use std::collections::HashMap;

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use minijinja::context;
use minijinja::value::Serde;
use rocket::State;
use rocket::data::{Data, FromData, Outcome as DataOutcome};
use rocket::form::{Form, FromForm};
use rocket::http::{RawStr, Status};
use rocket::request::Request;
use rocket::response::Redirect;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::guards::{Deadline, OneZone, read, zone_named};
use super::super::problem::Problem;
use super::super::site::{OwnPage, Site};
use super::{Asset, Assets, Page, render};
use crate::birthday::{DateOfBirth, LeapDay, Username, days_until, today_in};
use crate::clock::Clock;
use crate::config::{PublicUrl, Settings};
use crate::store::{Birthdays, Condition};

/// What the forms of the page hold.
#[derive(FromForm, Serialize, ToSchema)]
pub struct Entry {
    /// 1 to 64 ASCII letters, case matters.
    #[field(default = "")]
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z]{1,64}$", example = "John")]
    username: String,
    /// A calendar date, strictly before today in the zone that applies.
    #[field(name = "dateOfBirth", default = "")]
    #[schema(rename = "dateOfBirth", format = Date, pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", example = "1990-05-17")]
    date_of_birth: String,
    /// IANA time zone that decides which date is today; empty for the service's own.
    #[field(default = "")]
    #[schema(required = false, example = "Europe/Amsterdam")]
    tz: String,
}

#[rocket::async_trait]
impl<'r> FromData<'r> for Entry {
    type Error = Problem;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> DataOutcome<'r, Self> {
        match read_form(request, data).await {
            Ok(entry) => DataOutcome::Success(entry),
            Err(problem) => DataOutcome::Error((problem.class().0, problem)),
        }
    }
}

async fn read_form(request: &Request<'_>, data: Data<'_>) -> Result<Entry, Problem> {
    let body =
        String::from_utf8(read(request, data, "application/x-www-form-urlencoded").await?).map_err(|_| Problem::BadRequest)?;
    Form::parse_encoded(RawStr::new(&body)).map_err(|_| Problem::BadRequest)
}

/// Somebody's next birthday.
#[derive(Serialize)]
struct Person {
    name: String,
    today: Day,
    next: Day,
    /// 0 on the day itself.
    days: u32,
    born_on_leap_day: bool,
    from_replica: bool,
}

/// A date for programs, and one for those whose browser runs no script; others see their own language's form.
#[derive(Serialize)]
struct Day {
    iso: String,
    long: String,
}

impl From<NaiveDate> for Day {
    fn from(date: NaiveDate) -> Self {
        Self { iso: date.to_string(), long: date.format("%A, %-d %B %Y").to_string() }
    }
}

/// The page after the form `sent`, which is `lookup` or `save`. Each problem stands at the field that it is about.
fn page(sent: &str, entry: &Entry, site: &Site, settings: &Settings, outcome: Result<Option<Person>, Vec<Problem>>) -> Page {
    let (person, problems) = outcome.map_or_else(|problems| (None, problems), |person| (person, vec![]));
    let status = problems.first().map_or(Status::Ok, |problem| problem.class().0);
    let field = |problem: &Problem| match problem {
        Problem::InvalidUsername(_) | Problem::UnknownUsername => "-username",
        Problem::InvalidDateOfBirth(_) => "-dateOfBirth",
        Problem::InvalidTimeZone(_) => "-tz",
        _ => "",
    };
    let errors = problems.iter().map(|problem| (format!("{sent}{}", field(problem)), problem.to_string())).collect();
    Page { status, text: html(entry, &site.0, settings, person.as_ref(), &errors) }
}

/// The page as it is without a request.
pub fn empty(settings: &Settings) -> String {
    let site = PublicUrl { secure: false, host: String::new() };
    let entry = Entry { username: String::new(), date_of_birth: String::new(), tz: String::new() };
    html(&entry, &site, settings, None, &HashMap::new())
}

fn html(
    entry: &Entry,
    site: &PublicUrl,
    settings: &Settings,
    person: Option<&Person>,
    errors: &HashMap<String, String>,
) -> String {
    let own_zone = settings.birthday.time_zone.name();
    render(
        "home.html",
        context! {
            errors, own_zone,
            person => Serde(person),
            entry => Serde(entry),
            site => site.to_string(),
            host => &site.host,
            zone => if entry.tz.is_empty() { own_zone } else { &entry.tz },
            substitute => match settings.birthday.leap_day {
                LeapDay::Mar1 => "1 March",
                LeapDay::Feb28 => "28 February",
            },
        },
    )
}

/// An empty field, which a form sends too, asks for nothing.
fn zone(entry: &Entry, settings: &Settings) -> Result<Tz, Problem> {
    if entry.tz.is_empty() { Ok(settings.birthday.time_zone) } else { zone_named(&entry.tz) }
}

/// The page, and somebody's countdown on it
#[utoipa::path(
    tag = "Web page",
    operation_id = "home",
    params(("username" = Option<String>, Query), ("tz" = Option<String>, Query)),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 304),
        (status = 400, description = "The page, with what is wrong beside the field", body = String, content_type = "text/html"),
        (status = 404, description = "The page: no birthday is saved under that name", body = String, content_type = "text/html"),
        (status = 503, description = "The page: the database does not answer", body = String, content_type = "text/html"),
    )
)]
#[expect(clippy::too_many_arguments, reason = "each is a guard or a state that Rocket hands over")]
#[get("/?<username>&<tz>")]
pub async fn home(
    username: Option<&str>,
    tz: Option<&str>,
    one_zone: Result<OneZone, Problem>,
    site: Site,
    clock: &State<Clock>,
    deadline: Deadline,
    birthdays: &Birthdays,
    settings: &State<Settings>,
    assets: &State<Assets>,
) -> Result<Result<Asset, Page>, Problem> {
    if username.is_none() && tz.is_none() && one_zone.is_ok() {
        return assets.named("/").map(Ok);
    }
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let entry = Entry { username: text(username), tz: text(tz), date_of_birth: String::new() };
    let name = username.map(|name| name.parse::<Username>().map_err(Problem::InvalidUsername)).transpose();
    let outcome = match (name, one_zone.and_then(|_| zone(&entry, settings))) {
        (Ok(None), Ok(_)) => Ok(None),
        (Ok(Some(name)), Ok(zone)) => {
            let found = find(name, today_in(zone, clock.now()), deadline, birthdays, settings).await;
            found.map(Some).map_err(|problem| vec![problem])
        }
        (name, zone) => Err([name.err(), zone.err()].into_iter().flatten().collect()),
    };
    Ok(Err(page("lookup", &entry, &site, settings, outcome)))
}

async fn find(
    name: Username,
    today: NaiveDate,
    deadline: Deadline,
    birthdays: &Birthdays,
    settings: &Settings,
) -> Result<Person, Problem> {
    let found = birthdays.find(name.clone(), deadline.0).await?.ok_or(Problem::UnknownUsername)?;
    let days = days_until(found.date_of_birth, today, settings.birthday.leap_day);
    Ok(Person {
        name: name.to_string(),
        today: today.into(),
        next: (today + Days::new(days.into())).into(),
        days,
        born_on_leap_day: found.date_of_birth.is_leap_day(),
        from_replica: found.from_replica,
    })
}

/// Save or replace a date of birth with the page's form
#[utoipa::path(
    tag = "Web page",
    operation_id = "save_from_page",
    request_body(content = Entry, content_type = "application/x-www-form-urlencoded", description = "1024 bytes at most"),
    responses(
        (status = 303, description = "Saved, and durable; `Location` is the page with the countdown"),
        (status = 400, description = "The page, with what is wrong beside each field", body = String, content_type = "text/html"),
        (status = 403), (status = 408), (status = 413), (status = 415),
        (status = 503, description = "The page: the database does not answer", body = String, content_type = "text/html"),
    )
)]
#[post("/save", data = "<entry>")]
pub async fn save(
    own_page: Result<OwnPage, Problem>,
    entry: Result<Entry, Problem>,
    site: Site,
    clock: &State<Clock>,
    deadline: Deadline,
    birthdays: &Birthdays,
    settings: &State<Settings>,
) -> Result<Result<Redirect, Page>, Problem> {
    own_page?;
    let entry = entry?;
    let name = entry.username.parse::<Username>().map_err(Problem::InvalidUsername);
    let zone = zone(&entry, settings);
    // The date is judged even if the zone is wrong, so that all errors show at once.
    let today = today_in(*zone.as_ref().unwrap_or(&settings.birthday.time_zone), clock.now());
    let born = DateOfBirth::parse(&entry.date_of_birth, today).map_err(Problem::from);
    let problems = match (name, born, zone) {
        (Ok(name), Ok(born), Ok(_)) => match birthdays.save(name, born, Condition::None, deadline.0).await {
            Ok(_) => {
                let tz = Some(entry.tz.as_str()).filter(|tz| !tz.is_empty());
                return Ok(Ok(Redirect::to(uri!(home(Some(entry.username.as_str()), tz)))));
            }
            Err(error) => vec![error.into()],
        },
        (name, born, zone) => [name.err(), born.err(), zone.err()].into_iter().flatten().collect(),
    };
    Ok(Err(page("save", &entry, &site, settings, Err(problems))))
}
