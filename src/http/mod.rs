//! The HTTP interface: the listener, routes, answers and problems.

mod answer;
mod call;
mod dispatch;
mod docs;
mod greeting;
mod methods;
mod metrics;
mod page;
mod probes;
mod problem;
mod server;

use rocket::fairing::AdHoc;

pub use self::call::Received;
pub use self::docs::openapi;
pub use self::metrics::Metrics;
pub use self::problem::Problem;
pub use self::server::Server;

/// Mounts the routes, the metrics, and the catcher for requests that the framework refuses.
pub fn stage() -> AdHoc {
    AdHoc::on_ignite("http", |rocket| async {
        let routes = routes![
            greeting::greet,
            greeting::save,
            greeting::delete,
            greeting::subscribe,
            page::home::home,
            page::home::save,
            page::file,
            probes::livez,
            probes::readyz,
            metrics::metrics,
            docs::document,
            docs::docs
        ];
        let rocket = rocket.manage(page::Assets::default()).mount("/", routes);
        let not_allowed = methods::not_allowed(&rocket);
        let metrics = Metrics::of(&rocket);
        let rocket = rocket.mount("/", not_allowed).register("/", vec![problem::catcher()]);
        rocket.manage(metrics).attach(metrics::stage())
    })
}
