//! Whatever is taken for a date of birth prints back to the same ten bytes and lies before today.

#![no_main]

use birthday_api::birthday::DateOfBirth;
use chrono::NaiveDate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let today = NaiveDate::from_ymd_opt(2026, 11, 23).expect("a date");
    if let Ok(born) = DateOfBirth::parse(text, today) {
        assert_eq!(born.to_string(), text);
        assert!(born.date() < today);
    }
});
