//! `GET /hello/<username>/birthday.ics`.

use crate::support::{TestApp, on_both_stores};

on_both_stores![the_calendar_holds_one_yearly_all_day_event_that_stays_the_same_without_the_year_of_birth];

async fn the_calendar_holds_one_yearly_all_day_event_that_stays_the_same_without_the_year_of_birth(app: TestApp) {
    app.save("John", "1987-05-17").await;
    for (today, year) in [("2026-11-23", 2026), ("2026-11-24", 2026), ("2031-01-01", 2031)] {
        app.on(today);
        let answer = app.get("/hello/John/birthday.ics").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/calendar; charset=utf-8")));
        assert_eq!(answer.header("birthday-today"), Some(today));
        let text = answer.body;
        assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"), "{text}");
        for line in [
            "BEGIN:VEVENT",
            "UID:John@birthday-api",
            &format!("DTSTART;VALUE=DATE:{year}0517"),
            "RRULE:FREQ=YEARLY",
            "SUMMARY:John's birthday",
            "NAME:John's birthday",
            "REFRESH-INTERVAL;VALUE=DURATION:P1D",
        ] {
            assert_eq!(text.split("\r\n").filter(|found| *found == line).count(), 1, "{line} in {text}");
        }
        // RFC 5546 demands an ORGANIZER with it.
        assert!(!text.contains("METHOD") && !text.contains("1987"), "{text}");
    }
}
