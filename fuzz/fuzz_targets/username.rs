//! Whatever is taken for a username is 1 to 64 ASCII letters and unchanged, and nothing else is refused.

#![no_main]

use birthday_api::birthday::Username;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let allowed = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    assert_eq!(text.parse::<Username>().map(|name| name.to_string()).ok(), allowed.then(|| text.to_owned()));
});
