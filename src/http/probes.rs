//! Probes for the platform: is the process alive, and should it get requests?

use prometheus_client::metrics::gauge::Gauge;
use rocket::State;

use super::problem::Problem;

/// Whether the service is draining before it stops, as a gauge: 1 if so.
#[derive(Clone, Default)]
pub struct Draining(pub Gauge);

impl Draining {
    pub fn is_set(&self) -> bool {
        self.0.get() == 1
    }
}

/// Whether the process runs
#[utoipa::path(tag = "Operation", responses((status = 200, description = "It runs", body = String, content_type = "text/plain")))]
#[get("/livez")]
pub fn livez() -> &'static str {
    "ok\n"
}

/// Whether new requests should come here
///
/// Independent of the database: otherwise its outage would take every instance out of service, and clients would get no clear answer.
#[utoipa::path(tag = "Operation", responses(
    (status = 200, description = "Started and not shutting down", body = String, content_type = "text/plain"),
    (status = 503, description = "Shutting down"),
))]
#[get("/readyz")]
pub fn readyz(draining: &State<Draining>) -> Result<&'static str, Problem> {
    if draining.is_set() { Err(Problem::Draining) } else { Ok("ok\n") }
}
