//! The settings: the Rocket.toml inside the binary, overridden by one in the working directory, then by `ROCKET_*` variables,
//! in which two underscores separate levels: `ROCKET_DATABASES__BIRTHDAYS__URL`.
//!
//! Everything is read and checked before the service starts. An unknown or invalid setting stops it with one line naming the key.

use std::path::Path;
use std::time::Duration;

use chrono_tz::Tz;
use figment::error::Kind;
use figment::providers::{Env, Format, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Profile};
use rocket::Config;
use rocket::config::LogLevel;
use serde::{Deserialize, Deserializer, de};
use url::Url;

use crate::birthday::LeapDay;
use crate::store;

/// Rocket's own settings that take effect here, and this service's.
const KEYS: [&str; 14] = [
    "address", "port", "workers", "max_blocking", "ident", "keep_alive", "log_level", "shutdown", "birthday", "databases",
    "http", "lifecycle", "telemetry", "public_url",
];
const SHUTDOWN: [&str; 2] = ["grace", "mercy"];
/// The longest deadline of a request.
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Clone, Deserialize)]
pub struct Settings {
    pub birthday: Birthday,
    pub databases: Databases,
    pub http: Http,
    pub lifecycle: Lifecycle,
    pub telemetry: Telemetry,
    /// Where users reach the service, if that is not where it listens: an origin (RFC 6454), without a trailing slash.
    #[serde(default, deserialize_with = "origin")]
    pub public_url: Option<String>,
    /// Rocket's own settings.
    #[serde(skip)]
    pub rocket: Config,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Birthday {
    #[serde(deserialize_with = "time_zone")]
    pub time_zone: Tz,
    pub leap_day: LeapDay,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Databases {
    pub birthdays: store::Settings,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The maximum number of concurrent client connections.
    pub max_connections: usize,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    #[serde(deserialize_with = "store::seconds")]
    pub drain: Duration,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    pub format: LogFormat,
    pub access_log: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// A setting that prevents the start: its key and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("setting {key}: {reason}")]
pub struct SettingError {
    pub key: String,
    pub reason: String,
}

/// The settings of this process: files and environment.
pub fn figment() -> Result<Figment, SettingError> {
    let file = match Env::var("ROCKET_CONFIG") {
        Some(path) if !Path::new(&path).is_file() => return Err(refused("ROCKET_CONFIG", format!("there is no file {path}"))),
        Some(path) => Toml::file(path),
        None => Toml::file("Rocket.toml"),
    };
    let figment = Figment::from(Toml::string(include_str!("../Rocket.toml")).nested())
        .merge(file.nested())
        .merge(Env::prefixed("ROCKET_").ignore(&["PROFILE", "CONFIG"]).split("__").global())
        .select(Profile::from_env_or("ROCKET_PROFILE", Config::DEFAULT_PROFILE));
    let rockets_own = [Profile::Default, Config::DEBUG_PROFILE, Config::RELEASE_PROFILE];
    if !rockets_own.contains(figment.profile()) && !figment.profiles().any(|profile| profile == figment.profile()) {
        return Err(refused("ROCKET_PROFILE", format!("no configuration file defines the profile {}", figment.profile())));
    }
    // Only values from the file in the binary have no source.
    let by_default = figment.find_metadata("databases.birthdays.url").is_some_and(|metadata| metadata.source.is_none());
    if by_default && Env::var("DATABASE_URL").is_some() {
        let reason = "DATABASE_URL is ignored; set ROCKET_DATABASES__BIRTHDAYS__URL instead";
        return Err(refused("databases.birthdays.url", reason));
    }
    Ok(figment)
}

impl Settings {
    /// Reads and checks all of `figment`. Returns Rocket's configuration and the settings.
    pub fn load(figment: &Figment) -> Result<(Figment, Self), SettingError> {
        refuse_unknown_keys(figment)?;
        let figment = Figment::from(Config::default())
            .merge(("shutdown.ctrlc", false))
            .merge(("shutdown.signals", Vec::<String>::new()))
            .merge(figment);
        let mut settings: Self = figment.extract().map_err(not_extracted)?;
        settings.rocket = figment.extract().map_err(not_extracted)?;
        settings.check()?;
        Ok((figment, settings))
    }

    fn check(&self) -> Result<(), SettingError> {
        let database = &self.databases.birthdays;
        database.check().map_err(|(key, reason)| refused(&format!("databases.birthdays.{key}"), reason))?;
        let deadline = database.deadline();
        let grace = Duration::from_secs(self.rocket.shutdown.grace.into());
        let enough = format!("must be at least connect_timeout + query_timeout, which is {} s", deadline.as_secs_f64());
        let off = "must be off, because Rocket logs usernames; the settings of the service's own log are under `telemetry`";
        let checks = [
            (self.rocket.workers > 0, "workers", "must be at least 1"),
            (self.rocket.max_blocking > 0, "max_blocking", "must be at least 1"),
            (self.rocket.log_level == LogLevel::Off, "log_level", off),
            ((1..=1_000_000).contains(&self.http.max_connections), "http.max_connections", "must be from 1 to 1000000"),
            (deadline <= LONGEST, "databases.birthdays.connect_timeout", "must be at most 30 s together with query_timeout"),
            (grace >= deadline, "shutdown.grace", &enough),
        ];
        let broken = checks.into_iter().find(|(holds, ..)| !holds);
        broken.map_or(Ok(()), |(_, key, reason)| Err(refused(key, reason)))
    }
}

fn refused(key: &str, reason: impl Into<String>) -> SettingError {
    SettingError { key: key.to_owned(), reason: reason.into() }
}

fn refuse_unknown_keys(figment: &Figment) -> Result<(), SettingError> {
    let profiles = [&Profile::Default, &Profile::Global, figment.profile()];
    if let Some(profile) = figment.profiles().find(|profile| !profiles.contains(profile)) {
        let reason = format!(
            "not the active profile, which is {}; [default] and [default.<table>] apply to all profiles",
            figment.profile()
        );
        return Err(refused(&profile.to_string(), reason));
    }
    let all: Dict = figment.extract().map_err(not_extracted)?;
    let shutdown = all.get("shutdown").and_then(Value::as_dict).cloned().unwrap_or_default();
    for (table, keys, known) in [("", all, &KEYS[..]), ("shutdown.", shutdown, &SHUTDOWN)] {
        if let Some(key) = keys.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(refused(&format!("{table}{key}"), format!("unknown; the supported keys are {}", known.join(", "))));
        }
    }
    Ok(())
}

/// Describes figment's first error: the key, what is wrong, and where it is set. Never quotes a value that may hold a password.
fn not_extracted(error: figment::Error) -> SettingError {
    let key = if error.path.is_empty() { "file or variable".to_owned() } else { error.path.join(".") };
    let source = error.metadata.as_ref().map_or_else(String::new, |metadata| match &metadata.source {
        Some(source) => format!(" (in {}, {source})", metadata.name),
        None => format!(" (in {})", metadata.name),
    });
    let secret = matches!(key.as_str(), "databases" | "databases.birthdays") || key.ends_with("url");
    let reason = match &error.kind {
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) if secret => {
            format!("invalid; expected {expected}")
        }
        Kind::UnknownVariant(found, known) => format!("{found} is not one of {}", known.join(", ")),
        // The TOML parser's message spans several lines and quotes the file.
        kind => kind.to_string().lines().filter(|line| !line.contains(" |")).collect::<Vec<_>>().join(": "),
    };
    SettingError { key, reason: format!("{reason}{source}") }
}

fn origin<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let url = Url::parse(&String::deserialize(deserializer)?).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let origin =
        url.map(|url| (url.origin().ascii_serialization(), url)).filter(|(origin, url)| url.as_str() == format!("{origin}/"));
    let form = || de::Error::custom("must be a scheme and a host, such as https://birthday.example");
    Ok(Some(origin.ok_or_else(form)?.0))
}

fn time_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map_err(|_| de::Error::custom(format!("{name:?} is not an IANA time zone, such as Europe/Amsterdam")))
}
