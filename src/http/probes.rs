//! What the platform asks: is the process alive, should it get requests.

use rocket::{Route, State};

use super::problem::{Document, Problem};
use crate::lifecycle::Draining;

pub fn routes() -> Vec<Route> {
    routes![livez, readyz]
}

/// Whether the process runs
#[utoipa::path(tag = "Operation", responses((status = 200, description = "It runs", body = String, content_type = "text/plain")))]
#[get("/livez")]
fn livez() -> &'static str {
    "ok\n"
}

/// Whether new requests should come here
///
/// Not tied to the database: an outage would take every instance out at once and turn clear answers into none.
#[utoipa::path(tag = "Operation", responses(
    (status = 200, description = "Started and not shutting down", body = String, content_type = "text/plain"),
    (status = 503, description = "Shutting down", body = Document, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
))]
#[get("/readyz")]
fn readyz(draining: &State<Draining>) -> Result<&'static str, Problem> {
    if draining.is_set() { Err(Problem::Draining) } else { Ok("ok\n") }
}
