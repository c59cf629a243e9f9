//! What the drills measured, for docs/reliability.md: a line each.

#![allow(clippy::print_stdout, reason = "figures are read on the screen")]

use std::env;
use std::time::Duration;

pub fn measured(drill: &str, figures: &str) {
    println!("measured  {drill}: {figures}");
}

/// How often a drill that can be repeated is: `usually`, or what DRILLS_REPEAT says.
pub fn repetitions(usually: usize) -> usize {
    env::var("DRILLS_REPEAT").map_or(usually, |times| times.parse().expect("DRILLS_REPEAT is a number"))
}

pub fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
