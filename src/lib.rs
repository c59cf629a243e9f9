//! A service that stores a date of birth per username and says how many days remain until the birthday.
//!
//! Dependencies point one way: [`http`] uses [`store`] and [`birthday`], [`store`] uses [`birthday`], and [`birthday`] uses nothing.

#[macro_use]
extern crate rocket;

use figment::Figment;
use rocket::shield::Shield;
use rocket::{Build, Rocket};
use rocket_db_pools::Database;

pub mod birthday;
pub mod clock;
pub mod config;
pub mod http;
pub mod lifecycle;
pub mod logging;
pub mod store;

/// The service, not yet started. `figment` and `settings` come from [`config::Settings::load`].
pub fn rocket(figment: Figment, settings: config::Settings, clock: clock::Clock) -> Rocket<Build> {
    rocket::custom(figment)
        .manage(settings)
        .manage(clock)
        // Rocket's default headers are for pages: `http/page` sets its own, stricter ones, and API answers need none.
        .attach(Shield::new())
        .attach(store::Birthdays::init())
        .attach(http::stage())
}
