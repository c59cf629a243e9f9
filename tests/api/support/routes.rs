//! The mounted routes, as reported by the service itself, except for those that only answer that a method is not allowed.

use birthday_api::clock::Clock;
use birthday_api::config::Settings;

use super::app::NOW;
use super::{Database, Store, figment};

pub struct Route {
    pub method: String,
    /// As a template: `/hello/<username>`.
    pub path: String,
}

pub async fn routes() -> Vec<Route> {
    let database = Database::new(Store::Sqlite);
    let (figment, settings) = Settings::load(&figment(&database.url())).unwrap();
    let rocket = birthday_api::rocket(figment, settings, Clock::new(|| NOW.parse().unwrap())).ignite().await.unwrap();
    let routes = rocket.routes().filter(|route| route.rank < 100).map(|route| Route {
        method: route.method.to_string(),
        path: route.uri.to_string().split('?').next().unwrap_or_default().to_owned(),
    });
    routes.collect()
}
