//! What the world sees: routes, answers and problems.

mod connections;
mod docs;
mod greeting;
mod guards;
mod methods;
mod metrics;
mod page;
mod probes;
mod problem;

use rocket::fairing::AdHoc;

pub use self::docs::openapi;
pub use self::methods::RESOURCES;
pub use self::problem::Problem;

/// Routes, the catcher for what the framework refuses, and the limits on connections.
pub fn stage() -> AdHoc {
    AdHoc::on_ignite("http", |rocket| async {
        rocket
            .mount("/", greeting::routes())
            .mount("/", probes::routes())
            .mount("/", metrics::routes())
            .mount("/", docs::routes())
            .mount("/", page::routes())
            .mount("/", methods::not_allowed())
            .register("/", vec![problem::catcher()])
            .attach(methods::NoOverride)
            .attach(connections::Limits::default())
            .attach(metrics::stage())
    })
}
