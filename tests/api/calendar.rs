//! `GET /hello/<username>/birthday.ics`.

use crate::support::{Database, Store, TestApp, on_both_stores};

on_both_stores![
    the_calendar_holds_one_yearly_all_day_event_without_the_year_of_birth, the_uid_stays_while_days_and_years_go_by,
    the_recurrence_of_a_leap_day_is_1_march_by_default,
];

fn lines(text: &str, property: &str) -> Vec<String> {
    text.split("\r\n").filter(|line| line.starts_with(property)).map(str::to_owned).collect()
}

async fn the_calendar_holds_one_yearly_all_day_event_without_the_year_of_birth(app: TestApp) {
    app.save("John", "1987-05-17").await;
    let answer = app.get("/hello/John/birthday.ics").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/calendar; charset=utf-8")));
    let text = answer.body;
    assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"), "{text}");
    assert_eq!(lines(&text, "BEGIN:VEVENT").len(), 1);
    assert_eq!(lines(&text, "DTSTART"), ["DTSTART;VALUE=DATE:20260517"]);
    assert_eq!(lines(&text, "RRULE"), ["RRULE:FREQ=YEARLY"]);
    assert_eq!(lines(&text, "SUMMARY"), ["SUMMARY:John's birthday"]);
    assert!(!text.contains("1987"), "{text}");
}

async fn the_uid_stays_while_days_and_years_go_by(app: TestApp) {
    app.save("John", "1990-05-17").await;
    let mut uids = Vec::new();
    for today in ["2026-11-23", "2026-11-24", "2027-05-17", "2031-01-01"] {
        app.on(today);
        uids.extend(lines(&app.get("/hello/John/birthday.ics").await.body, "UID:"));
    }
    uids.dedup();
    assert_eq!(uids, ["UID:John@birthday-api"]);
}

async fn the_recurrence_of_a_leap_day_is_1_march_by_default(app: TestApp) {
    app.save("Leap", "2000-02-29").await;
    let text = app.get("/hello/Leap/birthday.ics").await.body;
    assert_eq!(lines(&text, "DTSTART"), ["DTSTART;VALUE=DATE:20260301"]);
    assert_eq!(lines(&text, "RRULE"), ["RRULE:FREQ=YEARLY;BYYEARDAY=60"]);
    app.on("2028-01-01");
    assert_eq!(lines(&app.get("/hello/Leap/birthday.ics").await.body, "DTSTART"), ["DTSTART;VALUE=DATE:20280229"]);
}

#[tokio::test]
async fn the_recurrence_of_a_leap_day_is_28_february_where_so_configured() {
    let app = TestApp::with(Database::new(Store::Sqlite), "[default.birthday]\nleap_day = \"feb28\"");
    app.save("Leap", "2000-02-29").await;
    let text = app.get("/hello/Leap/birthday.ics").await.body;
    assert_eq!(lines(&text, "DTSTART"), ["DTSTART;VALUE=DATE:20260228"]);
    assert_eq!(lines(&text, "RRULE"), ["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"]);
}
