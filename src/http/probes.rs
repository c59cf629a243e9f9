//! What the platform asks: is the process alive, should it get requests.

use prometheus_client::metrics::gauge::Gauge;
use rocket::fairing::AdHoc;
use rocket::http::Header;
use rocket::{Route, State};

use super::problem::Problem;

/// Whether the service is about to stop, as a figure that can be watched: 1 if so.
#[derive(Clone, Default)]
pub struct Draining(pub Gauge);

impl Draining {
    fn is_set(&self) -> bool {
        self.0.get() == 1
    }
}

pub fn routes() -> Vec<Route> {
    routes![livez, readyz]
}

/// While draining, asks clients to open their next connection elsewhere.
pub fn stage() -> AdHoc {
    AdHoc::on_ignite("draining", |rocket| async {
        let draining = Draining::default();
        rocket.manage(draining.clone()).attach(AdHoc::on_response("draining", move |_, response| {
            if draining.is_set() {
                response.set_header(Header::new("Connection", "close"));
            }
            Box::pin(async {})
        }))
    })
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
    (status = 503, description = "Shutting down"),
))]
#[get("/readyz")]
fn readyz(draining: &State<Draining>) -> Result<&'static str, Problem> {
    if draining.is_set() { Err(Problem::Draining) } else { Ok("ok\n") }
}
