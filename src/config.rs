//! The settings: the Rocket.toml inside the binary, then one in the working directory, then `ROCKET_*` variables,
//! in which two underscores separate levels: `ROCKET_DATABASES__BIRTHDAYS__URL`.
//!
//! Everything is read and checked before the start. What is unknown or cannot work ends it with one line that names the key.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use chrono_tz::Tz;
use figment::error::Kind;
use figment::providers::{Env, Format, Toml};
use figment::{Figment, Profile};
use rocket::Config;
use rocket::config::LogLevel;
use serde::{Deserialize, Deserializer, de};

use crate::birthday::LeapDay;
use crate::store;

/// Rocket's own settings that have an effect here.
const ROCKETS_OWN: [&str; 10] =
    ["address", "port", "workers", "max_blocking", "ident", "ip_header", "keep_alive", "log_level", "shutdown", "cli_colors"];
const OURS: [&str; 6] = ["birthday", "databases", "http", "lifecycle", "telemetry", "public_url"];
const SHUTDOWN: [&str; 2] = ["grace", "mercy"];
/// What a request may take at the most: a connection is not cut before it.
const LONGEST_DEADLINE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    pub birthday: Birthday,
    pub databases: Databases,
    pub http: Http,
    pub lifecycle: Lifecycle,
    pub telemetry: Telemetry,
    /// Where users reach the service, if that is not where it listens.
    pub public_url: Option<PublicUrl>,
    /// Rocket's own.
    #[serde(skip)]
    pub rocket: Config,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Birthday {
    #[serde(deserialize_with = "time_zone")]
    pub time_zone: Tz,
    pub leap_day: LeapDay,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Databases {
    pub birthdays: store::Settings,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Connections of clients at the same time.
    pub max_connections: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    #[serde(deserialize_with = "drain")]
    pub drain: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    pub format: LogFormat,
    pub access_log: bool,
}

/// Scheme and authority of the place where users reach the service. Prints as an origin (RFC 6454), without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    pub secure: bool,
    /// The host, with the port unless it is the scheme's own.
    pub host: String,
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.host)
    }
}

impl<'de> Deserialize<'de> for PublicUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let url = url::Url::parse(&text).ok().filter(|url| {
            let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
            bare && url.password().is_none() && matches!(url.scheme(), "http" | "https") && url.has_host()
        });
        let url = url.ok_or_else(|| de::Error::custom("not a scheme and a host; the form is https://birthday.example"))?;
        let authority = url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        Ok(Self { secure: url.scheme() == "https", host: authority })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// A setting that stops the start: its key and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingError {
    pub key: String,
    pub reason: String,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "setting {}: {}", self.key, self.reason)
    }
}

impl std::error::Error for SettingError {}

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
        return Err(refused("ROCKET_PROFILE", format!("no file has a profile {}", figment.profile())));
    }
    // Only what is in the binary comes from no place.
    let by_default = figment.find_metadata("databases.birthdays.url").is_some_and(|metadata| metadata.source.is_none());
    if by_default && Env::var("DATABASE_URL").is_some() {
        let reason = "DATABASE_URL is not read; write it to ROCKET_DATABASES__BIRTHDAYS__URL";
        return Err(refused("databases.birthdays.url", reason));
    }
    Ok(figment)
}

impl Settings {
    /// Reads and checks all of `figment`. Returns what Rocket needs beside the settings.
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
        for (key, number) in [("workers", self.rocket.workers), ("max_blocking", self.rocket.max_blocking)] {
            if number == 0 {
                return Err(refused(key, "must be at least 1"));
            }
        }
        if self.rocket.log_level != LogLevel::Off {
            return Err(refused(
                "log_level",
                "must be off: Rocket's lines hold names; the service's own lines are under `telemetry`",
            ));
        }
        if database.deadline() > LONGEST_DEADLINE {
            let reason = format!("connect_timeout + query_timeout must be at most {} s", LONGEST_DEADLINE.as_secs());
            return Err(refused("databases.birthdays.connect_timeout", reason));
        }
        if !(1..=1_000_000).contains(&self.http.max_connections) {
            return Err(refused("http.max_connections", "must be from 1 to 1000000"));
        }
        if Duration::from_secs(self.rocket.shutdown.grace.into()) < database.deadline() {
            let deadline = database.deadline().as_secs_f64();
            return Err(refused(
                "shutdown.grace",
                format!("must be at least connect_timeout + query_timeout, which is {deadline} s"),
            ));
        }
        Ok(())
    }
}

fn refused(key: &str, reason: impl Into<String>) -> SettingError {
    SettingError { key: key.to_owned(), reason: reason.into() }
}

fn refuse_unknown_keys(figment: &Figment) -> Result<(), SettingError> {
    let profiles = [&Profile::Default, &Profile::Global, figment.profile()];
    if let Some(profile) = figment.profiles().find(|profile| !profiles.contains(profile)) {
        let reason =
            format!("not the profile in use, which is {}; [default] and [default.<table>] hold for every one", figment.profile());
        return Err(refused(&profile.to_string(), reason));
    }
    let data: figment::value::Dict = figment.extract().map_err(not_extracted)?;
    if let Some(key) = data.keys().find(|key| !ROCKETS_OWN.contains(&key.as_str()) && !OURS.contains(&key.as_str())) {
        return Err(refused(key, format!("unknown; known are {}, {}", ROCKETS_OWN.join(", "), OURS.join(", "))));
    }
    let shutdown = data.get("shutdown").and_then(|shutdown| shutdown.as_dict());
    match shutdown.into_iter().flatten().find(|(key, _)| !SHUTDOWN.contains(&key.as_str())) {
        Some((key, _)) => Err(refused(&format!("shutdown.{key}"), format!("unknown; known are {}", SHUTDOWN.join(", ")))),
        None => Ok(()),
    }
}

/// The first thing that figment found, in words: which key, what is wrong, and where it stands. Never a value that may hold a password.
fn not_extracted(error: figment::Error) -> SettingError {
    let key = if error.path.is_empty() { "file or variable".to_owned() } else { error.path.join(".") };
    let source = error.metadata.as_ref().map_or_else(String::new, |metadata| match &metadata.source {
        Some(source) => format!(" (in {}, {source})", metadata.name),
        None => format!(" (in {})", metadata.name),
    });
    let secret = matches!(key.as_str(), "databases" | "databases.birthdays") || key.ends_with("url");
    let reason = match &error.kind {
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) if secret => {
            format!("not readable: expected {expected}")
        }
        // What the parser of TOML says takes several lines, and quotes the file.
        kind => kind.to_string().lines().filter(|line| !line.contains(" |")).collect::<Vec<_>>().join(": "),
    };
    SettingError { key, reason: format!("{reason}{source}") }
}

fn time_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map_err(|_| de::Error::custom(format!("{name:?} is not an IANA time zone, such as Europe/Amsterdam")))
}

fn drain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    if (0.0..=3600.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(de::Error::custom(format!("{seconds} is not a number of seconds from 0 to 3600")))
    }
}
