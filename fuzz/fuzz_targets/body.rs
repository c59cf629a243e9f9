//! `PUT` with any bytes as its body: 204 only for an object that holds a date of birth and nothing else.

#![no_main]

#[path = "../service.rs"]
mod service;

use birthday_api::birthday::DateOfBirth;
use chrono::NaiveDate;
use libfuzzer_sys::fuzz_target;
use rocket::http::ContentType;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let status = service::with(|client| client.put("/hello/John").header(ContentType::JSON).body(body).dispatch().status().code);
    let today = NaiveDate::from_ymd_opt(2026, 11, 23).expect("a date");
    let allowed = matches!(serde_json::from_slice(body), Ok(Value::Object(members)) if members.len() == 1
        && members.get("dateOfBirth").and_then(Value::as_str).is_some_and(|text| DateOfBirth::parse(text, today).is_ok()));
    match status {
        204 => assert!(allowed, "taken: {:?}", String::from_utf8_lossy(body)),
        // Members that come twice are refused, and `Value` keeps the last: with one colon there is one member.
        400 | 413 => assert!(!allowed || body.len() > 1024 || body.iter().filter(|byte| **byte == b':').count() > 1, "refused"),
        other => panic!("{other} for {:?}", String::from_utf8_lossy(body)),
    }
});
