//! What the Rust peers share: the rules for names and dates, the countdown, and the SQL.

pub mod axum;

use chrono::{Datelike, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

pub const FIND: &str = "select date_of_birth from birthdays where username = $1";
pub const SAVE: &str = "insert into birthdays (username, date_of_birth) values ($1, $2) \
                        on conflict (username) do update set date_of_birth = excluded.date_of_birth";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewBirthday {
    date_of_birth: String,
}

#[derive(Serialize)]
pub struct Greeting {
    message: String,
}

#[derive(Serialize)]
pub struct Problem {
    detail: &'static str,
}

impl Problem {
    pub const UNKNOWN: Self = Self { detail: "nobody of that name is known" };
    pub const UNAVAILABLE: Self = Self { detail: "the database does not answer" };
}

pub fn check(username: &str) -> Result<(), Problem> {
    if (1..=64).contains(&username.len()) && username.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        Ok(())
    } else {
        Err(Problem { detail: "the username must be 1 to 64 ASCII letters" })
    }
}

fn today() -> NaiveDate {
    Utc::now().date_naive()
}

impl NewBirthday {
    /// Exactly YYYY-MM-DD, before today; chrono alone takes signs and single digits.
    pub fn date(&self) -> Result<NaiveDate, Problem> {
        let form = self.date_of_birth.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        let date = (form && self.date_of_birth.len() == 10).then(|| self.date_of_birth.parse::<NaiveDate>().ok()).flatten();
        date.filter(|date| date.year() >= 1 && *date < today())
            .ok_or(Problem { detail: "dateOfBirth must be a date before today, YYYY-MM-DD" })
    }
}

impl Greeting {
    pub fn new(username: &str, born: NaiveDate) -> Self {
        let today = today();
        let birthday = birthday_in(today.year(), born);
        let birthday = if birthday < today { birthday_in(today.year() + 1, born) } else { birthday };
        let message = match (birthday - today).num_days() {
            0 => format!("Hello, {username}! Happy birthday!"),
            days => format!("Hello, {username}! Your birthday is in {days} day(s)"),
        };
        Self { message }
    }
}

/// 1 March stands in for a 29 February that the year lacks.
fn birthday_in(year: i32, born: NaiveDate) -> NaiveDate {
    born.with_year(year).or_else(|| NaiveDate::from_ymd_opt(year, 3, 1)).expect("a 1 March is in every year")
}
