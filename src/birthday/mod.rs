//! The domain: who has a birthday, when, and how many days away it is.
//!
//! Pure values and functions. Nothing here depends on HTTP or SQL, and nothing reads a clock: "today" is always an argument.

pub mod calendar;
mod date_of_birth;
mod days_until;
mod username;

pub use date_of_birth::{DateOfBirth, DateOfBirthError};
pub use days_until::{LeapDay, days_until};
pub use username::{Username, UsernameError};
