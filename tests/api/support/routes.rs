//! The mounted routes, as reported by the service itself.

use birthday_api::clock::Clock;
use birthday_api::config::Settings;

use super::app::NOW;
use super::{Database, Store, figment};

pub struct Route {
    pub method: String,
    /// As a template: `/hello/<username>`.
    pub path: String,
    /// The route only answers that the method is not allowed.
    pub refuses: bool,
}

pub async fn routes() -> Vec<Route> {
    let database = Database::new(Store::Sqlite);
    let (figment, settings) = Settings::load(&figment(&database.url())).unwrap();
    let rocket = birthday_api::rocket(figment, settings, Clock::new(|| NOW.parse().unwrap())).ignite().await.unwrap();
    let routes = rocket.routes().map(|route| Route {
        method: route.method.to_string(),
        path: route.uri.to_string().split('?').next().unwrap_or_default().to_owned(),
        refuses: route.rank >= 100,
    });
    routes.collect()
}
