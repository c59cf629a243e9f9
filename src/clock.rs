//! The time of day, as a value that tests choose.

use chrono::{DateTime, Utc};

/// Where the time of day comes from; read once for a request.
pub struct Clock(Box<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    pub fn new(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Box::new(now))
    }

    /// The clock of this machine.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads it")]
    pub fn system() -> Self {
        Self::new(Utc::now)
    }

    pub fn now(&self) -> DateTime<Utc> {
        (self.0)()
    }
}
