//! Probes for the platform: is the process alive, and should it get requests?

use rocket::State;

use super::metrics::Metrics;
use super::problem::Problem;

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
pub fn readyz(metrics: &State<Metrics>) -> Result<&'static str, Problem> {
    if metrics.is_draining() { Err(Problem::Draining) } else { Ok("ok\n") }
}
