//! What the drills measured, for docs/reliability.md: a line each.

use std::env;
use std::time::Duration;

macro_rules! measured {
    ($drill:expr, $($figures:tt)*) => { println!("measured  {}: {}", $drill, format_args!($($figures)*)) };
}
pub(crate) use measured;

/// How often a drill that can be repeated is: `usually`, or what DRILLS_REPEAT says.
pub fn repetitions(usually: usize) -> usize {
    env::var("DRILLS_REPEAT").map_or(usually, |times| times.parse().expect("DRILLS_REPEAT is a number"))
}

pub fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
