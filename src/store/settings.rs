//! The table `databases.birthdays`.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rustix::fs::{Access, access};
use serde::{Deserialize, Deserializer, de};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::credentials::Login;

#[derive(Clone, Deserialize)]
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
    pub pooler: bool,
    migrate: Option<bool>,
}

impl Settings {
    /// The time limit of one request, including retry and replica.
    pub fn deadline(&self) -> Duration {
        self.connect_timeout + self.query_timeout
    }

    /// The login in the files; `None` if it is in the URL.
    pub fn login(&self) -> io::Result<Option<Login>> {
        self.credentials.as_deref().map(Login::read).transpose()
    }

    /// Whether the service brings the schema up to date when it starts.
    pub fn migrate(&self) -> bool {
        self.migrate.unwrap_or(matches!(self.url, DatabaseUrl::Sqlite(_)))
    }

    /// Refuses settings that cannot work together; the error is the key and the reason.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let is_sqlite = matches!(self.url, DatabaseUrl::Sqlite(_));
        let has_options = |url: &DatabaseUrl| matches!(url, DatabaseUrl::Postgres(options) if options.get_options().is_some());
        let remove_them = "a pooler accepts no startup options: remove `options`";
        let (key, reason) = match (&self.replica_url, is_sqlite) {
            (Some(_), true) => ("replica_url", "an SQLite database has no replica"),
            (Some(DatabaseUrl::Sqlite(_)), _) => ("replica_url", "the replica of a PostgreSQL database must be PostgreSQL"),
            (_, true) if self.credentials.is_some() => ("credentials", "an SQLite database uses no user name and password"),
            (_, true) if self.pooler => ("pooler", "an SQLite database has no pooler"),
            _ if self.pooler && has_options(&self.url) => ("url", remove_them),
            (Some(replica), _) if self.pooler && has_options(replica) => ("replica_url", remove_them),
            _ if self.max_connections < 2 => ("max_connections", "must be at least 2: one for lookups, one for writes"),
            _ if self.connect_timeout.is_zero() => ("connect_timeout", "must be above 0"),
            _ if self.query_timeout.is_zero() => ("query_timeout", "must be above 0"),
            _ => return self.login().map(drop).map_err(|error| ("credentials", error.to_string())),
        };
        Err((key, reason.to_owned()))
    }
}

/// A number of seconds, at most an hour.
pub fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| duration.as_secs() <= 3600);
    duration.ok_or_else(|| de::Error::custom(format!("{seconds} is not a number of seconds from 0 to 3600")))
}

/// Which database, and how to reach it. Displayed without user, password and parameters.
#[derive(Clone)]
pub enum DatabaseUrl {
    Postgres(PgConnectOptions),
    Sqlite(SqliteConnectOptions),
}

/// The URL parameters that sqlx supports. It only warns about others, and a mistyped `sslmode` must not go unnoticed.
const POSTGRES_PARAMETERS: [&str; 7] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "application_name", "options"];
const FORM: &str = "not a PostgreSQL URL; the form is postgres://user:password@host:5432/database?sslmode=verify-full, \
    where special characters in the password are percent-encoded";
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

impl FromStr for DatabaseUrl {
    type Err = String;

    /// No error quotes the URL, which may hold a password.
    fn from_str(url: &str) -> Result<Self, String> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => postgres(url).map(Self::Postgres),
            Some("sqlite") => sqlite(url).map(Self::Sqlite),
            _ => Err("the scheme must be sqlite or postgres, for example sqlite://birthdays.db".to_owned()),
        }
    }
}

/// Only a migration creates the file.
fn sqlite(url: &str) -> Result<SqliteConnectOptions, String> {
    let options: SqliteConnectOptions = url.parse().map_err(|error| format!("not an SQLite URL: {error}"))?;
    let file = options.get_filename().to_string_lossy();
    if file.is_empty() || file.starts_with("file::") {
        return Err("no file is named; the form is sqlite://birthdays.db".to_owned());
    }
    let query = url.split_once('?').map_or("", |(_, query)| query).as_bytes();
    let mode = url::form_urlencoded::parse(query).any(|(key, value)| key == "mode" && value == "memory");
    if mode || file == ":memory:" || file.starts_with("file:sqlx-in-memory") {
        return Err("an in-memory SQLite database would lose all data; name a file".to_owned());
    }
    check(options.get_filename())?;
    Ok(options.clone().create_if_missing(false))
}

/// Refuses a file that cannot be a database. A file that cannot be opened is reported when it is first used.
fn check(path: &Path) -> Result<(), String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut head));
    if !folder.is_dir() {
        Err(format!("there is no folder {}", folder.display()))
    } else if path.is_dir() {
        Err(format!("{} is a folder", path.display()))
    } else if read.is_ok() && !head.is_empty() && head != MAGIC {
        Err(format!("{} is not an SQLite database", path.display()))
    } else if access(folder, Access::WRITE_OK).is_err() {
        Err(format!("the folder {} is not writable", folder.display()))
    } else {
        Ok(())
    }
}

fn postgres(url: &str) -> Result<PgConnectOptions, String> {
    let parsed = url::Url::parse(url).map_err(|_| FORM)?;
    // An @ after one of these characters means that the character is part of the password.
    let rest = url.split_once("://").and_then(|(_, rest)| rest.split_once(['/', '?', '#']));
    if rest.is_some_and(|(_, rest)| rest.contains(['@', '#'])) {
        return Err(FORM.to_owned());
    }
    for (name, value) in parsed.query_pairs() {
        if !POSTGRES_PARAMETERS.contains(&&*name) {
            // Without a host and a user this may be part of the password.
            let name = if parsed.username().is_empty() { "in the URL".to_owned() } else { format!("{name:?}") };
            return Err(format!("unknown parameter {name}; the supported ones are {}", POSTGRES_PARAMETERS.join(", ")));
        }
        if matches!(&*name, "sslrootcert" | "sslcert" | "sslkey") && !Path::new(&*value).is_file() {
            return Err(format!("there is no file {value} ({name})"));
        }
    }
    let options: PgConnectOptions = url.parse().map_err(|_| FORM)?;
    if options.get_database().unwrap_or_default().is_empty() {
        return Err("the PostgreSQL URL names no database".to_owned());
    }
    // sqlx keeps the brackets of an IPv6 address, which no resolver accepts.
    let host = options.get_host().trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(options.host(&host))
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(options) => {
                let host = options.get_host();
                let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
                write!(f, "postgres://{host}:{}/{}", options.get_port(), options.get_database().unwrap_or_default())
            }
            Self::Sqlite(options) => write!(f, "sqlite://{}", options.get_filename().display()),
        }
    }
}
