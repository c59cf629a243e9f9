//! The table `databases.birthdays`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::credentials::Credentials;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub url: DatabaseUrl,
    pub replica_url: Option<DatabaseUrl>,
    pub credentials: Option<PathBuf>,
    pub max_connections: usize,
    #[serde(deserialize_with = "seconds")]
    pub connect_timeout: Duration,
    #[serde(deserialize_with = "seconds")]
    pub query_timeout: Duration,
    migrate: Option<bool>,
}

impl Settings {
    /// What one request may take altogether: retry and replica included.
    pub fn deadline(&self) -> Duration {
        self.connect_timeout + self.query_timeout
    }

    /// Whether the service brings the schema up to date when it starts.
    pub fn migrate(&self) -> bool {
        self.migrate.unwrap_or(matches!(self.url, DatabaseUrl::Sqlite(_)))
    }

    /// Refuses what cannot work together; the error is the key and the reason.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let DatabaseUrl::Postgres(..) = self.url else {
            return match (&self.replica_url, &self.credentials) {
                (Some(_), _) => Err(("replica_url", "an SQLite database has no replica".to_owned())),
                (_, Some(_)) => Err(("credentials", "an SQLite database takes no user name and password".to_owned())),
                _ if self.max_connections < 2 => Err(("max_connections", TOO_FEW.to_owned())),
                _ => Ok(()),
            };
        };
        if let Some(DatabaseUrl::Sqlite(_)) = self.replica_url {
            return Err(("replica_url", "the replica of a PostgreSQL database must be PostgreSQL".to_owned()));
        }
        if self.max_connections < 2 {
            return Err(("max_connections", TOO_FEW.to_owned()));
        }
        Credentials::read(self.credentials.as_deref()).map(drop).map_err(|error| ("credentials", error.to_string()))
    }
}

const TOO_FEW: &str = "must be at least 2: one for lookups, one for writes";

/// A positive number of seconds, a day at the most.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    if seconds > 0.0 && seconds <= 86_400.0 {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(de::Error::custom(format!("{seconds} is not a number of seconds above 0 and up to 86400")))
    }
}

/// Which database, and how to reach it. Never printed whole: it may hold a password.
#[derive(Clone)]
pub enum DatabaseUrl {
    Postgres(PgConnectOptions),
    Sqlite(SqliteConnectOptions),
}

/// What sqlx understands in the URL's query. It only warns of others, and a mistyped `sslmode` must not go unnoticed.
const POSTGRES_PARAMETERS: [&str; 7] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "application_name", "options"];

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => {
                let query = url.split_once('?').map_or("", |(_, query)| query);
                for name in query.split('&').filter(|part| !part.is_empty()).map(|part| part.split('=').next().unwrap_or(part)) {
                    if !POSTGRES_PARAMETERS.contains(&name) {
                        return Err(format!("unknown parameter {name:?}; known are {}", POSTGRES_PARAMETERS.join(", ")));
                    }
                }
                // The error may quote the URL with its password.
                let options: PgConnectOptions = url.parse().map_err(|_| {
                    "not a PostgreSQL URL; the form is postgres://user:password@host:5432/database?sslmode=verify-full".to_owned()
                })?;
                match options.get_database() {
                    None | Some("") => Err("the PostgreSQL URL names no database".to_owned()),
                    Some(_) => Ok(Self::Postgres(options)),
                }
            }
            Some("sqlite") if url.contains(":memory:") || url.contains("mode=memory") => {
                Err("an SQLite database in memory would forget everything; name a file".to_owned())
            }
            Some("sqlite") => url.parse().map(Self::Sqlite).map_err(|error| format!("not an SQLite URL: {error}")),
            _ => Err("the scheme must be sqlite or postgres, for example sqlite://birthdays.db".to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl std::fmt::Display for DatabaseUrl {
    /// Without user, password and parameters.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Postgres(options) => {
                write!(
                    f,
                    "postgres://{}:{}/{}",
                    options.get_host(),
                    options.get_port(),
                    options.get_database().unwrap_or_default()
                )
            }
            Self::Sqlite(options) => write!(f, "sqlite://{}", options.get_filename().display()),
        }
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
