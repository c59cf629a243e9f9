//! Which dates are taken, and how many days remain, in every corner of the calendar.

use chrono::{Datelike, NaiveDate, TimeDelta};
use reqwest::Method;

use crate::support::{Database, Store, TestApp, birthday, on_both_stores};

on_both_stores![
    born_on_29_february_the_birthday_in_common_years_is_1_march_by_default,
    born_on_1_march_and_asked_on_29_february_it_is_tomorrow, the_year_turns_between_31_december_and_1_january,
    dates_from_the_year_1_until_yesterday_are_taken, todays_date_and_later_ones_are_refused,
    what_is_not_a_date_of_ten_characters_is_refused, one_reading_of_the_clock_decides_today_and_the_days,
];

/// Asks on each day: `None` is the congratulation, which is what 0 days would be.
async fn expect_days(app: &TestApp, name: &str, cases: &[(&str, Option<u32>)]) {
    for (today, days) in cases {
        app.on(today);
        let expected = match days {
            None => format!("Hello, {name}! Happy birthday!"),
            Some(days) => format!("Hello, {name}! Your birthday is in {days} day(s)"),
        };
        assert_eq!(app.message(name).await, expected, "on {today}");
    }
}

async fn born_on_29_february_the_birthday_in_common_years_is_1_march_by_default(app: TestApp) {
    app.save("Leap", "2000-02-29").await;
    let common = [("2025-02-27", Some(2)), ("2025-02-28", Some(1)), ("2025-03-01", None), ("2025-03-02", Some(364))];
    let leap = [("2028-02-27", Some(2)), ("2028-02-28", Some(1)), ("2028-02-29", None), ("2028-03-01", Some(365))];
    let after = [("2029-02-28", Some(1)), ("2029-03-01", None), ("2027-03-02", Some(364)), ("2100-03-01", None)];
    for cases in [common, leap, after] {
        expect_days(&app, "Leap", &cases).await;
    }
}

#[tokio::test]
async fn with_leap_day_feb28_the_birthday_in_common_years_is_28_february() {
    for store in [Store::Sqlite, Store::PostgreSql] {
        let app = TestApp::with(Database::new(store), "[default.birthday]\nleap_day = \"feb28\"");
        app.save("Leap", "2000-02-29").await;
        let common = [("2025-02-27", Some(1)), ("2025-02-28", None), ("2025-03-01", Some(364)), ("2025-03-02", Some(363))];
        let leap = [("2028-02-27", Some(2)), ("2028-02-28", Some(1)), ("2028-02-29", None), ("2028-03-01", Some(364))];
        for cases in [common, leap] {
            expect_days(&app, "Leap", &cases).await;
        }
        // The rule is about those born on the 29th only.
        app.save("Eve", "2001-02-28").await;
        expect_days(&app, "Eve", &[("2028-02-28", None), ("2028-02-29", Some(365)), ("2025-02-28", None)]).await;
    }
}

async fn born_on_1_march_and_asked_on_29_february_it_is_tomorrow(app: TestApp) {
    app.save("March", "1999-03-01").await;
    expect_days(&app, "March", &[("2024-02-29", Some(1)), ("2024-03-01", None), ("2025-02-28", Some(1))]).await;
}

async fn the_year_turns_between_31_december_and_1_january(app: TestApp) {
    app.save("Sylvester", "1990-12-31").await;
    expect_days(&app, "Sylvester", &[("2026-01-01", Some(364)), ("2028-01-01", Some(365)), ("2026-12-30", Some(1))]).await;
    app.save("Newyear", "1990-01-01").await;
    expect_days(&app, "Newyear", &[("2026-12-31", Some(1)), ("2026-01-02", Some(364)), ("2028-01-02", Some(365))]).await;
}

async fn dates_from_the_year_1_until_yesterday_are_taken(app: TestApp) {
    for born in ["0001-01-01", "0099-12-31", "1600-02-29", "1900-01-01", "2000-02-29", "2026-11-22"] {
        app.save("John", born).await;
        assert_eq!(app.get("/hello/John").await.status, 200, "{born}");
    }
    assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 364 day(s)");
}

async fn todays_date_and_later_ones_are_refused(app: TestApp) {
    for born in ["2026-11-23", "2026-11-24", "2027-01-01", "9999-12-31"] {
        let problem = app.put("/hello/John", birthday(born)).await.expect_problem(400, "invalid-date-of-birth");
        assert!(problem["detail"].as_str().unwrap().contains("2026-11-23"), "it says which day is today: {problem}");
    }
    app.get("/hello/John").await.expect_problem(404, "unknown-username");
    // What is today's date becomes yesterday's.
    app.on("2026-11-24");
    app.save("John", "2026-11-23").await;
}

async fn what_is_not_a_date_of_ten_characters_is_refused(app: TestApp) {
    for born in [
        "", " ", "2000", "2000-2-3", "2000-02-3", "2000-02-30", "2001-02-29", "1900-02-29", "2000-13-01", "2000-00-01",
        "2000-01-00", "0000-01-01", "-001-01-01", "-0001-01-02", "+2000-01-02", " 2000-01-02", "2000-01-02 ", "2000 - 01 - 02",
        "2000-01-02T00:00:00Z", "2000-01-02T00:00:00+14:00", "20000102", "02-01-2000", "2000/01/02", "12000-01-02",
        "２０００-01-02", "2000-01-0\u{0}", "today",
    ] {
        app.put("/hello/John", birthday(born)).await.expect_problem(400, "invalid-date-of-birth");
    }
    app.get("/hello/John").await.expect_problem(404, "unknown-username");
}

async fn one_reading_of_the_clock_decides_today_and_the_days(app: TestApp) {
    app.save("John", "1990-11-24").await;
    for request in [
        app.request(Method::GET, "/hello/John"),
        app.request(Method::GET, "/hello/John?tz=Pacific/Kiritimati"),
        app.request(Method::GET, "/hello/John/birthday.ics"),
        app.request(Method::PUT, "/hello/John").header("Content-Type", "application/json").body(birthday("1990-11-24")),
    ] {
        let before = app.clock_readings();
        assert!(app.send(request).await.status < 300);
        assert_eq!(app.clock_readings() - before, 1);
    }
    // Each reading finds a later day, so that two readings would disagree.
    app.advance_at_each_reading(TimeDelta::days(1));
    for _ in 0..3 {
        let answer = app.get("/hello/John").await;
        let today: NaiveDate = answer.header("birthday-today").unwrap().parse().unwrap();
        let next = next_24_november(today);
        let expected =
            if next == today { "Happy birthday!".to_owned() } else { format!("in {} day(s)", (next - today).num_days()) };
        assert!(answer.body.contains(&expected), "{} on {today}", answer.body);
    }
}

fn next_24_november(from: NaiveDate) -> NaiveDate {
    let in_year = |year| NaiveDate::from_ymd_opt(year, 11, 24).unwrap();
    if in_year(from.year()) < from { in_year(from.year() + 1) } else { in_year(from.year()) }
}
