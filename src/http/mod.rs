//! What the world sees: routes, answers and problems.

mod connections;
mod docs;
mod health;
mod hello;
mod methods;
mod page;
mod problem;
mod request;

use rocket::fairing::AdHoc;

pub use self::docs::openapi;
pub use self::methods::RESOURCES;
pub use self::problem::Problem;
pub use self::request::{Clock, started};

/// Routes, the catcher for what the framework refuses, and the limits on connections.
pub fn stage() -> AdHoc {
    AdHoc::on_ignite("http", |rocket| async {
        rocket
            .mount("/", hello::routes())
            .mount("/", health::routes())
            .mount("/", docs::routes())
            .mount("/", page::routes())
            .mount("/", methods::not_allowed())
            .register("/", vec![problem::catcher()])
            .attach(methods::NoOverride)
            .attach(connections::Limits::default())
    })
}
