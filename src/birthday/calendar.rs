//! A birthday as a calendar that clients can subscribe to (RFC 5545).

use chrono::{Datelike, NaiveDate};

use super::days_until::birthday_in;
use super::{DateOfBirth, LeapDay, Username};

/// The longest line in octets, without its line break (RFC 5545, 3.1).
const LONGEST_LINE: usize = 75;

/// Yearly all-day events, with UIDs that stay the same for this name.
///
/// Someone born on 29 February has four, one for each year of the leap cycle, each repeating every four years: common clients
/// ignore or reject a rule for the last day of February or for day 60 of the year. Correct until 2099; 2100 is not a leap year.
///
/// They start in the year of `today`, so that they do not reveal the year of birth. DTSTAMP is midnight UTC of `today`: the text
/// changes at most once a day.
pub fn yearly(name: &Username, born: DateOfBirth, today: NaiveDate, rule: LeapDay) -> String {
    let mut text = String::with_capacity(1024);
    let mut lines = |lines: &[&str]| lines.iter().for_each(|line| push(&mut text, line));
    let name = name.as_str();
    let title = format!("{name}'s birthday");
    // The name and the refresh interval, both as in RFC 7986 and in the older properties that clients also read.
    lines(&["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//birthday-api//Birthday API//EN", "CALSCALE:GREGORIAN"]);
    lines(&[&format!("NAME:{title}"), &format!("X-WR-CALNAME:{title}")]);
    lines(&["REFRESH-INTERVAL;VALUE=DURATION:P1D", "X-PUBLISHED-TTL:P1D"]);
    let cycle = if born.is_leap_day() { 4 } else { 1 };
    for year in today.year()..today.year() + cycle {
        let (uid, recurrence) = match cycle {
            1 => (format!("UID:{name}@birthday-api"), "RRULE:FREQ=YEARLY"),
            _ => (format!("UID:{name}-{}@birthday-api", year.rem_euclid(4)), "RRULE:FREQ=YEARLY;INTERVAL=4"),
        };
        let start = format!("DTSTART;VALUE=DATE:{}", digits(birthday_in(year, born, rule)));
        let stamp = format!("DTSTAMP:{}T000000Z", digits(today));
        lines(&[
            "BEGIN:VEVENT",
            &uid,
            &stamp,
            &start,
            recurrence,
            &format!("SUMMARY:{title}"),
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]);
    }
    lines(&["END:VCALENDAR"]);
    text
}

fn digits(date: NaiveDate) -> String {
    format!("{:04}{:02}{:02}", date.year(), date.month(), date.day())
}

/// Folds a line that is too long: a line break and a space continue it. Names are ASCII, so no character is split.
fn push(text: &mut String, line: &str) {
    let (first, rest) = line.split_at(line.len().min(LONGEST_LINE));
    *text += first;
    if !rest.is_empty() {
        *text += "\r\n ";
        *text += rest;
    }
    *text += "\r\n";
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
            "RRULE:FREQ=YEARLY", "SUMMARY:John's birthday", "NAME:John's birthday", "REFRESH-INTERVAL;VALUE=DURATION:P1D",
            "END:VCALENDAR",
        ] {
            assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{line} in\n{text}");
        }
        // RFC 5546 requires an ORGANIZER if there is a METHOD.
        assert!(!text.contains("1990") && !text.contains("METHOD"), "{text}");
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
        let folded: Vec<_> = text.lines().filter(|line| line.starts_with(' ')).collect();
        assert_eq!(folded, [" thday", " xx's birthday", " ay-api", " birthday"], "{text}");
    }
}
