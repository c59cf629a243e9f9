//! A birthday as a calendar that clients can subscribe to (RFC 5545).

use chrono::{Datelike, NaiveDate, NaiveTime};
use icalendar::{Calendar, Component, Event, EventLike, Property};

use super::days_until::birthday_in;
use super::{DateOfBirth, LeapDay, Username};

/// All-day events that return every year, with UIDs that stay the same for this name.
///
/// Someone born on 29 February has four, one for each year of the leap cycle, each of which returns every four years: a rule for the last
/// day of February or for day 60 of the year is one that widespread clients ignore or refuse. Right until 2099; 2100 is no leap year.
///
/// They start in the year of `today`, so that the year of birth cannot be read from them. DTSTAMP is midnight UTC of `today`: the
/// text changes at most once a day.
pub fn yearly(name: &Username, born: DateOfBirth, today: NaiveDate, rule: LeapDay) -> String {
    let mut calendar = Calendar::empty();
    for (key, value) in [
        ("VERSION", "2.0"),
        ("PRODID", "-//birthday-api//Birthday API//EN"),
        ("CALSCALE", "GREGORIAN"),
        // RFC 7986 and what clients read before it.
        ("NAME", &format!("{name}'s birthday")),
        ("X-WR-CALNAME", &format!("{name}'s birthday")),
        ("X-PUBLISHED-TTL", "P1D"),
    ] {
        calendar.append_property((key, value));
    }
    calendar.append_property(Property::new("REFRESH-INTERVAL", "P1D").add_parameter("VALUE", "DURATION").done());
    let cycle = if born.is_leap_day() { 4 } else { 1 };
    for year in today.year()..today.year() + cycle {
        let (uid, recurrence) = match cycle {
            1 => (format!("{name}@birthday-api"), "FREQ=YEARLY"),
            _ => (format!("{name}-{}@birthday-api", year.rem_euclid(4)), "FREQ=YEARLY;INTERVAL=4"),
        };
        let event = Event::with_uid(&uid)
            .timestamp(today.and_time(NaiveTime::MIN).and_utc())
            .starts(birthday_in(year, born, rule))
            .summary(&format!("{name}'s birthday"))
            .add_property("RRULE", recurrence)
            .add_property("TRANSP", "TRANSPARENT")
            .done();
        calendar.push(event);
    }
    calendar.to_string()
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
    fn born_on_29_february_four_events_with_a_year_each_return_every_four_years() {
        for (rule, substitute) in [(LeapDay::Mar1, "0301"), (LeapDay::Feb28, "0228")] {
            let text = calendar("Ada", "2000-02-29", "2026-11-23", rule);
            for start in
                [format!("2026{substitute}"), format!("2027{substitute}"), "20280229".to_owned(), format!("2029{substitute}")]
            {
                let uid = start[..4].parse::<u32>().unwrap() % 4;
                assert!(text.contains(&format!("DTSTART;VALUE=DATE:{start}\r\n")), "{start} in\n{text}");
                assert!(text.contains(&format!("UID:Ada-{uid}@birthday-api\r\n")), "{uid} in\n{text}");
            }
            assert_eq!(text.matches("RRULE:FREQ=YEARLY;INTERVAL=4\r\n").count(), 4, "{text}");
        }
    }

    #[test]
    fn lines_end_with_crlf_and_are_folded_at_75_octets() {
        let text = calendar(&"x".repeat(64), "1990-05-17", "2026-11-23", LeapDay::Mar1);
        assert!(text.split_inclusive('\n').all(|line| line.ends_with("\r\n")));
        assert!(text.lines().all(|line| line.len() <= 75), "{text}");
    }
}
