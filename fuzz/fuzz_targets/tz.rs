//! `?tz=` with any bytes: 400 for what is no time zone, and never anything but an answer.

#![no_main]

#[path = "../service.rs"]
mod service;

use chrono_tz::Tz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let status = service::with(|client| client.get(format!("/hello/Nobody?tz={encoded}")).dispatch().status().code);
    assert_eq!(status, if text.parse::<Tz>().is_ok() { 404 } else { 400 }, "{text:?}");
});
