//! The service in this process, without a network: routes, guards and an SQLite file of its own.

use std::sync::LazyLock;

use birthday_api::config::Settings;
use birthday_api::http::Clock;
use figment::Figment;
use figment::providers::{Format, Toml};
use rocket::local::blocking::Client;

static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let file = std::env::temp_dir().join(format!("birthday-api-fuzz-{}.db", std::process::id()));
    let url = Toml::string(&format!("[default.databases.birthdays]\nurl = \"sqlite://{}\"", file.display())).nested();
    let figment = Figment::from(Toml::string(include_str!("../Rocket.toml")).nested()).merge(url);
    let (figment, settings) = Settings::load(&figment).expect("settings");
    let clock = Clock::new(|| "2026-11-23T12:00:00Z".parse().expect("a time"));
    Client::untracked(birthday_api::rocket(figment, settings, clock)).expect("it starts")
});

pub fn with<T>(ask: impl FnOnce(&Client) -> T) -> T {
    ask(&CLIENT)
}
