//! Any text at all where the API reads one: always an answer, and the right one.

use birthday_api::birthday::DateOfBirth;
use chrono::NaiveDate;
use chrono_tz::{TZ_VARIANTS, Tz};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::support::{Store, TestApp, block_on};

fn for_any<S: Strategy>(texts: S, check: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    // No file for failures: what failed is printed, and belongs into a test by its name.
    let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&texts, check).unwrap();
}

#[test]
fn any_text_as_a_time_zone_is_a_zone_of_the_database_or_a_400() {
    let app = TestApp::start(Store::Sqlite);
    let known = select(&TZ_VARIANTS[..]).prop_map(|zone| zone.name().to_owned());
    let nearly = (known.clone(), any::<prop::sample::Index>(), any::<char>()).prop_map(|(name, at, other)| {
        let at = at.index(name.len());
        name.char_indices().map(|(index, letter)| if index == at { other } else { letter }).collect()
    });
    for_any(prop_oneof![known, nearly, ".{0,40}", "[A-Za-z]{1,9}/[A-Za-z_]{1,12}"], |name: String| {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = block_on(app.client.get(&format!("/hello/Nobody?tz={encoded}")));
        prop_assert_eq!(answer.status, if name.parse::<Tz>().is_ok() { 404 } else { 400 }, "{:?}: {}", name, answer.body);
        Ok(())
    });
}

#[test]
fn any_body_is_a_date_of_birth_and_nothing_else_or_a_problem() {
    let app = TestApp::start(Store::Sqlite);
    let today: NaiveDate = "2026-11-23".parse().unwrap();
    let whole = ["{", "\"dateOfBirth\"", ":", "\"1990-05-17\"", "}"];
    const PARTS: &[&str] = &[
        "{", "}", "[", "]", ":", ",", " ", "\n", "null", "1", "\"\"", "\"dateOfBirth\"", "\"1990-05-17\"", "\"1990-02-30\"",
        "\"x\"", "\"\\u0031990-05-17\"", "\\", "\u{feff}", "é",
    ];
    let jumble = prop::collection::vec(select(PARTS), 0..12).prop_map(|parts| parts.concat().into_bytes());
    let incomplete = subsequence(whole.to_vec(), 0..=5).prop_map(|parts| parts.concat().into_bytes());
    let inserted = (0..=5_usize, select(PARTS)).prop_map(move |(at, part)| {
        let mut parts = whole.to_vec();
        parts.insert(at, part);
        parts.concat().into_bytes()
    });
    let bytes = prop::collection::vec(any::<u8>(), 0..1100);
    for_any(prop_oneof![jumble, incomplete, inserted, bytes], |body: Vec<u8>| {
        let answer = block_on(app.client.put("/hello/John", body.clone()));
        let allowed = body.len() <= 1024
            && matches!(serde_json::from_slice(&body), Ok(Value::Object(members)) if members.len() == 1
                && members.get("dateOfBirth").and_then(Value::as_str).is_some_and(|text| DateOfBirth::parse(text, today).is_ok()));
        // `Value` keeps the last of two members of one name, and the service takes neither: with one colon there is one.
        let once = body.iter().filter(|byte| **byte == b':').count() == 1;
        let expected: &[u16] = if allowed && once {
            &[204]
        } else if allowed {
            &[204, 400]
        } else {
            &[400, 413]
        };
        prop_assert!(expected.contains(&answer.status), "{}: {}", answer.status, String::from_utf8_lossy(&body));
        Ok(())
    });
}
