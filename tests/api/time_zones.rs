//! `?tz=` and the configured time zone: which date counts as today.

use crate::support::{Database, Store, TestApp, birthday, on_both_stores};

on_both_stores![
    a_zone_east_of_the_date_line_is_a_day_ahead_and_one_west_of_it_a_day_behind,
    the_zone_decides_which_dates_of_birth_lie_in_the_past,
    a_zone_that_is_empty_repeated_or_unknown_is_refused,
];

/// 01:30 on the 24th on Kiritimati, 23:30 on the 22nd at UTC-12.
const THREE_DATES_AT_ONCE: &str = "2026-11-23T11:30:00Z";
const AHEAD: &str = "Pacific/Kiritimati";
const BEHIND: &str = "Etc/GMT%2B12";

async fn a_zone_east_of_the_date_line_is_a_day_ahead_and_one_west_of_it_a_day_behind(app: TestApp) {
    app.at_time(THREE_DATES_AT_ONCE);
    app.save("John", "1990-11-24").await;
    for (query, today, said) in [
        ("", "2026-11-23", "Your birthday is in 1 day(s)"),
        ("?", "2026-11-23", "Your birthday is in 1 day(s)"),
        ("?TZ=nowhere&atz=x&atz=y", "2026-11-23", "Your birthday is in 1 day(s)"),
        (&format!("?tz={AHEAD}"), "2026-11-24", "Happy birthday!"),
        (&format!("?tz={BEHIND}"), "2026-11-22", "Your birthday is in 2 day(s)"),
        ("?tz=Etc/GMT+12", "2026-11-22", "Your birthday is in 2 day(s)"),
        ("?tz=pacific/KIRITIMATI", "2026-11-24", "Happy birthday!"),
    ] {
        let answer = app.get(&format!("/hello/John{query}")).await;
        assert_eq!(answer.header("birthday-today"), Some(today), "{query}");
        assert_eq!(answer.json()["message"], format!("Hello, John! {said}"), "{query}");
        let calendar = app.get(&format!("/hello/John/birthday.ics{query}")).await;
        let headers = [calendar.header("content-type"), calendar.header("birthday-today")];
        assert_eq!(headers, [Some("text/calendar; charset=utf-8"), Some(today)], "{query}");
        let stamp = format!("DTSTAMP:{}T000000Z\r\n", today.replace('-', ""));
        assert!(calendar.body.contains(&stamp), "{query}: {}", calendar.body);
    }
    assert_eq!(app.delete("/hello/John?tz=nowhere&tz=").await.status, 204, "a deletion needs no time zone");
}

async fn the_zone_decides_which_dates_of_birth_lie_in_the_past(app: TestApp) {
    app.at_time(THREE_DATES_AT_ONCE);
    let put = async |query: &str, born: &str| app.put(&format!("/hello/John{query}"), birthday(born)).await;
    put("", "2026-11-23").await.expect_problem(400, "invalid-date-of-birth");
    let ahead = put(&format!("?tz={AHEAD}"), "2026-11-23").await;
    assert_eq!((ahead.status, ahead.header("birthday-today")), (204, Some("2026-11-24")));
    assert_eq!(put("", "2026-11-22").await.status, 204);
    let behind = put(&format!("?tz={BEHIND}"), "2026-11-22").await.expect_problem(400, "invalid-date-of-birth");
    assert!(behind["detail"].as_str().unwrap().contains("2026-11-22"), "{behind}");
}

async fn a_zone_that_is_empty_repeated_or_unknown_is_refused(app: TestApp) {
    app.save("John", "1990-11-24").await;
    for query in [
        "?tz=", "?tz", "?tz=UTC&tz=UTC", "?tz=UTC&tz=", "?a=b&tz=Mars/Olympus", "?tz=Europe", "?tz=%2B02:00", "?tz=CEST",
        "?tz=Europe/Amsterdam%00", "?tz=%20UTC", "?tz=..%2Fetc%2Fpasswd", "?tz=%FF",
    ] {
        app.get(&format!("/hello/John{query}")).await.expect_problem(400, "invalid-time-zone");
        app.get(&format!("/hello/John/birthday.ics{query}")).await.expect_problem(400, "invalid-time-zone");
        app.put(&format!("/hello/John{query}"), birthday("1990-11-25")).await.expect_problem(400, "invalid-time-zone");
    }
    assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 1 day(s)");
}

#[tokio::test]
async fn the_configured_zone_decides_where_no_other_is_asked_for() {
    let app = TestApp::with(Database::new(Store::Sqlite), "[default.birthday]\ntime_zone = \"Pacific/Kiritimati\"");
    app.at_time(THREE_DATES_AT_ONCE);
    app.save("John", "2026-11-23").await;
    assert_eq!(app.get("/hello/John").await.header("birthday-today"), Some("2026-11-24"));
    assert_eq!(app.get("/hello/John?tz=UTC").await.header("birthday-today"), Some("2026-11-23"));
}
