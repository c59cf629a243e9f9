//! `GET /hello/<username>/birthday.ics`.

use crate::support::{Database, Store, TestApp, on_both_stores};

on_both_stores![the_calendar_holds_one_yearly_all_day_event_without_the_year_of_birth, the_uid_stays_while_days_and_years_go_by,];

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
    assert_eq!(lines(&text, "NAME:"), ["NAME:John's birthday"]);
    assert_eq!(lines(&text, "REFRESH-INTERVAL"), ["REFRESH-INTERVAL;VALUE=DURATION:P1D"]);
    // RFC 5546 demands an ORGANIZER with it.
    assert!(!text.contains("METHOD") && !text.contains("1987"), "{text}");
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

/// The unit tests know the days; here it is the setting that decides.
#[tokio::test]
async fn the_setting_decides_the_day_of_those_born_on_29_february() {
    for (rule, day) in [("mar1", "0301"), ("feb28", "0228")] {
        let app = TestApp::with(Database::new(Store::Sqlite), &format!("[default.birthday]\nleap_day = {rule:?}"));
        app.save("Leap", "2000-02-29").await;
        let starts = lines(&app.get("/hello/Leap/birthday.ics").await.body, "DTSTART");
        let expected = [format!("2026{day}"), format!("2027{day}"), "20280229".to_owned(), format!("2029{day}")];
        assert_eq!(starts, expected.map(|date| format!("DTSTART;VALUE=DATE:{date}")));
    }
}
