//! Any text as a username and as a date of birth, on any day: what is taken is what was written, and can be counted from.
#![no_main]

use birthday_api::birthday::{DateOfBirth, LeapDay, Username, calendar, days_until};
use chrono::{Days, NaiveDate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u32, &str, &str)| {
    let (day, name, born) = input;
    // until the year 9999
    let today = NaiveDate::from_ymd_opt(1, 1, 1).expect("a date") + Days::new(u64::from(day) % 3_652_058);

    let legal = (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    let parsed = name.parse::<Username>();
    assert_eq!(parsed.is_ok(), legal, "{name:?}");

    let Ok(date) = DateOfBirth::parse(born, today) else { return };
    assert_eq!(date.date().to_string(), born);
    assert!(date.date() < today);
    for rule in [LeapDay::Mar1, LeapDay::Feb28] {
        let days = days_until(date, today, rule);
        assert!(days <= 366);
        let birthday = today + Days::new(days.into());
        assert!(birthday.format("%m-%d").to_string() == born[5..] || date.is_leap_day(), "{born} on {today}: in {days} days");
        if let Ok(name) = &parsed {
            let text = calendar::yearly(name, date, today, rule);
            assert!(text.ends_with("END:VCALENDAR\r\n") && text.split("\r\n").all(|line| line.len() <= 75));
        }
    }
});
