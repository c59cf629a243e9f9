//! The table `databases.birthdays`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
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
    pub pooler: bool,
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
        self.url.check().map_err(|reason| ("url", reason))?;
        if let Some(replica) = &self.replica_url {
            replica.check().map_err(|reason| ("replica_url", reason))?;
        }
        let postgres = matches!(self.url, DatabaseUrl::Postgres(..));
        let (key, reason) = match &self.replica_url {
            Some(_) if !postgres => ("replica_url", "an SQLite database has no replica"),
            Some(DatabaseUrl::Sqlite(_)) => ("replica_url", "the replica of a PostgreSQL database must be PostgreSQL"),
            _ if self.credentials.is_some() && !postgres => ("credentials", "an SQLite database takes no user name and password"),
            _ if self.pooler && !postgres => ("pooler", "an SQLite database is reached without a pooler"),
            _ if self.pooler && self.has_startup_options() => ("url", "a pooler takes no startup options: leave out `options`"),
            _ if self.max_connections < 2 => ("max_connections", "must be at least 2: one for lookups, one for writes"),
            _ => {
                return Credentials::read(self.credentials.as_deref())
                    .map(drop)
                    .map_err(|error| ("credentials", error.to_string()));
            }
        };
        Err((key, reason.to_owned()))
    }

    fn has_startup_options(&self) -> bool {
        matches!(&self.url, DatabaseUrl::Postgres(options) if options.get_options().is_some())
    }
}

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
const FORM: &str = "not a PostgreSQL URL; the form is postgres://user:password@host:5432/database?sslmode=verify-full, \
    where special characters in the password are percent-encoded";
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

impl FromStr for DatabaseUrl {
    type Err = String;

    /// No error quotes the URL, which may hold a password.
    fn from_str(url: &str) -> Result<Self, String> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => postgres(url),
            Some("sqlite") => {
                let options: SqliteConnectOptions = url.parse().map_err(|error| format!("not an SQLite URL: {error}"))?;
                let file = options.get_filename().to_string_lossy();
                if file.is_empty() || file.starts_with("file::") {
                    return Err("no file is named; the form is sqlite://birthdays.db".to_owned());
                }
                let query = url.split_once('?').map_or("", |(_, query)| query).as_bytes();
                let mode = url::form_urlencoded::parse(query).any(|(key, value)| key == "mode" && value == "memory");
                if mode || file == ":memory:" || file.starts_with("file:sqlx-in-memory") {
                    return Err("an SQLite database in memory would lose everything; name a file".to_owned());
                }
                Ok(Self::Sqlite(options))
            }
            _ => Err("the scheme must be sqlite or postgres, for example sqlite://birthdays.db".to_owned()),
        }
    }
}

fn postgres(url: &str) -> Result<DatabaseUrl, String> {
    let parsed = url::Url::parse(url).map_err(|_| FORM)?;
    // An @ behind one of these means that the password holds it.
    let rest = url.split_once("://").and_then(|(_, rest)| rest.split_once(['/', '?', '#']));
    if rest.is_some_and(|(_, rest)| rest.contains(['@', '#'])) {
        return Err(FORM.to_owned());
    }
    for (name, value) in parsed.query_pairs() {
        match &*name {
            name if !POSTGRES_PARAMETERS.contains(&name) => {
                // Without a host and a user this may be a part of the password.
                let name = if parsed.username().is_empty() { "in the URL".to_owned() } else { format!("{name:?}") };
                return Err(format!("unknown parameter {name}; known are {}", POSTGRES_PARAMETERS.join(", ")));
            }
            "sslrootcert" | "sslcert" | "sslkey" if !Path::new(&*value).is_file() => {
                return Err(format!("there is no file {value} ({name})"));
            }
            _ => {}
        }
    }
    let options: PgConnectOptions = url.parse().map_err(|_| FORM)?;
    if options.get_database().unwrap_or_default().is_empty() {
        return Err("the PostgreSQL URL names no database".to_owned());
    }
    // sqlx keeps the brackets of an IPv6 address, which no resolver knows.
    let bare = options.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned);
    Ok(DatabaseUrl::Postgres(match bare {
        Some(host) => options.host(&host),
        None => options,
    }))
}

impl DatabaseUrl {
    /// Refuses an SQLite file that cannot be one.
    pub fn check(&self) -> Result<(), String> {
        let Self::Sqlite(options) = self else { return Ok(()) };
        let path = options.get_filename();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(format!("there is no folder {}", folder.display()));
        }
        if path.is_dir() {
            return Err(format!("{} is a folder", path.display()));
        }
        let mut head = Vec::new();
        // A file that cannot be opened is reported when it is needed.
        let read = File::open(path).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut head));
        if read.is_ok() && !head.is_empty() && head != MAGIC {
            return Err(format!("{} is no SQLite database", path.display()));
        }
        if rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_err() {
            return Err(format!("the folder {} is not writable", folder.display()));
        }
        Ok(())
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
                let (host, database) = (options.get_host(), options.get_database().unwrap_or_default());
                match host.contains(':') {
                    true => write!(f, "postgres://[{host}]:{}/{database}", options.get_port()),
                    false => write!(f, "postgres://{host}:{}/{database}", options.get_port()),
                }
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
