//! The service on the network: the listener, routes, answers and problems.

mod dispatch;
mod docs;
mod greeting;
mod guards;
mod methods;
mod metrics;
mod page;
mod probes;
mod problem;
mod server;
mod site;

use rocket::fairing::AdHoc;
use rocket::http::ContentType;

pub use self::docs::openapi;
pub use self::probes::Draining;
pub use self::problem::Problem;
pub use self::server::{Server, StartError};
use crate::config::Settings;

/// Routes, what is counted, and the catcher for what the framework refuses.
pub fn stage() -> AdHoc {
    AdHoc::on_ignite("http", |rocket| async {
        let settings: &Settings = rocket.state().expect("lib.rs manages it before the start");
        let pages = [
            ("/", ContentType::HTML, page::home::empty(settings)),
            ("/docs", ContentType::HTML, docs::page(settings)),
            ("/openapi.json", ContentType::JSON, openapi()),
        ];
        let assets = page::Assets::new(pages.into_iter().chain(page::files()));
        let rocket = rocket
            .manage(assets)
            .mount("/", greeting::routes())
            .mount("/", probes::routes())
            .mount("/", metrics::routes())
            .mount("/", docs::routes())
            .mount("/", page::routes());
        let not_allowed = methods::not_allowed(&rocket);
        rocket
            .mount("/", not_allowed)
            .register("/", vec![problem::catcher()])
            .attach(methods::no_override())
            .attach(probes::stage())
            .attach(metrics::stage())
    })
}
