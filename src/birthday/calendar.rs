//! A birthday as a calendar that clients can subscribe to (RFC 5545).

use chrono::{Datelike, NaiveDate, NaiveTime};
use icalendar::{Calendar, Component, Event, EventLike};

use super::days_until::birthday_in;
use super::{DateOfBirth, LeapDay, Username};

/// One all-day event that returns every year, with a UID that stays the same for this name.
///
/// It starts in the year of `today`, so that the year of birth cannot be read from it. DTSTAMP is midnight UTC of `today`:
/// the text changes at most once a day.
pub fn yearly(name: &Username, born: DateOfBirth, today: NaiveDate, rule: LeapDay) -> String {
    // In a leap year day 60 is 29 February, in a common year 1 March.
    let recurrence = match rule {
        _ if !born.is_leap_day() => "FREQ=YEARLY",
        LeapDay::Mar1 => "FREQ=YEARLY;BYYEARDAY=60",
        LeapDay::Feb28 => "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1",
    };
    let event = Event::with_uid(&format!("{name}@birthday-api"))
        .timestamp(today.and_time(NaiveTime::MIN).and_utc())
        .starts(birthday_in(today.year(), born, rule))
        .summary(&format!("{name}'s birthday"))
        .add_property("RRULE", recurrence)
        .add_property("TRANSP", "TRANSPARENT")
        .done();
    Calendar::empty()
        .append_property(("VERSION", "2.0"))
        .append_property(("PRODID", "-//birthday-api//Birthday API//EN"))
        .append_property(("CALSCALE", "GREGORIAN"))
        .append_property(("METHOD", "PUBLISH"))
        .push(event)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(name: &str, born: &str, today: &str, rule: LeapDay) -> String {
        let today = today.parse().unwrap();
        yearly(&name.parse().unwrap(), DateOfBirth::parse(born, today).unwrap(), today, rule)
    }

    #[test]
    fn the_event_is_all_day_yearly_and_does_not_tell_the_year_of_birth() {
        let text = calendar("John", "1990-05-17", "2026-11-23", LeapDay::Mar1);
        for line in [
            "BEGIN:VCALENDAR", "VERSION:2.0", "UID:John@birthday-api", "DTSTART;VALUE=DATE:20260517", "DTSTAMP:20261123T000000Z",
            "RRULE:FREQ=YEARLY", "SUMMARY:John's birthday", "END:VCALENDAR",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(!text.contains("1990"));
    }

    #[test]
    fn born_on_29_february_the_recurrence_follows_the_rule() {
        let mar1 = calendar("Ada", "2000-02-29", "2026-11-23", LeapDay::Mar1);
        assert!(
            mar1.contains("DTSTART;VALUE=DATE:20260301\r\n") && mar1.contains("RRULE:FREQ=YEARLY;BYYEARDAY=60\r\n"),
            "{mar1}"
        );
        let feb28 = calendar("Ada", "2000-02-29", "2026-11-23", LeapDay::Feb28);
        assert!(feb28.contains("DTSTART;VALUE=DATE:20260228\r\n"), "{feb28}");
        assert!(feb28.contains("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1\r\n"), "{feb28}");
    }

    #[test]
    fn lines_end_with_crlf_and_are_folded_at_75_octets() {
        let text = calendar(&"x".repeat(64), "1990-05-17", "2026-11-23", LeapDay::Mar1);
        assert!(text.split_inclusive('\n').all(|line| line.ends_with("\r\n")));
        assert!(text.lines().all(|line| line.len() <= 75), "{text}");
    }
}
