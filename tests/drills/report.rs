//! The measurements of the drills for docs/reliability.md, one per line.

use std::env;
use std::time::Duration;

macro_rules! measured {
    ($drill:expr, $($figures:tt)*) => { println!("measured  {}: {}", $drill, format_args!($($figures)*)) };
}
pub(crate) use measured;

/// How often to repeat a drill: `usually`, or the value of DRILLS_REPEAT.
pub fn repetitions(usually: usize) -> usize {
    env::var("DRILLS_REPEAT").map_or(usually, |times| times.parse().expect("DRILLS_REPEAT is a number"))
}

pub fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
