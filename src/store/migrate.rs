//! Bringing the schema up to date. Two that migrate at once are safe, and a schema newer than this binary is left as it is.

use std::fs::{File, TryLockError};
use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{ConnectOptions, Connection};
use tokio::time::{Instant, sleep, timeout};

use super::credentials::Credentials;
use super::outage::Fault;
use super::postgres::with_login;
use super::settings::{DatabaseUrl, Settings};
use super::sqlite::Sqlite;

static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| tolerant(sqlx::migrate!("migrations/postgres")));
static SQLITE: LazyLock<Migrator> = LazyLock::new(|| tolerant(sqlx::migrate!("migrations/sqlite")));

/// A newer version of the service may have gone ahead; what it added, this one can live with.
fn tolerant(mut migrator: Migrator) -> Migrator {
    migrator.set_ignore_missing(true);
    migrator
}

/// A migration that waits longer than this for a lock steps back and tries again, rather than have the service queue up behind it.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Why the schema is not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database is away, or somebody holds a lock: trying again may help.
    #[error("the schema cannot be brought up to date yet: {0}")]
    NotYet(String),
    /// Trying again would end in the same way.
    #[error("the schema cannot be brought up to date: {0}")]
    Broken(String),
}

/// Migrates; while the database cannot be reached or is locked, tries again until `wait` is over.
pub async fn migrate_within(settings: &Settings, wait: Duration) -> Result<(), MigrationError> {
    // None is beyond any clock: for ever.
    let until = Instant::now().checked_add(wait);
    let mut told = String::new();
    loop {
        match migrate(settings).await {
            Err(MigrationError::NotYet(reason)) if until.is_none_or(|until| Instant::now() < until) => {
                if reason != told {
                    tracing::info!("waiting for the database: {reason}");
                    told = reason;
                }
            }
            outcome => return outcome,
        }
        sleep(PAUSE).await;
    }
}

/// One try.
pub async fn migrate(settings: &Settings) -> Result<(), MigrationError> {
    match &settings.url {
        DatabaseUrl::Postgres(options) => {
            let credentials = Credentials::read(settings.credentials.as_deref());
            let login = credentials.map_err(|error| MigrationError::NotYet(error.to_string()))?.login();
            let options = with_login(options, login.as_ref())
                .options([("lock_timeout", LOCK_TIMEOUT.as_millis())])
                .disable_statement_logging();
            let mut connection = match timeout(settings.connect_timeout, options.connect()).await {
                Ok(connection) => connection.map_err(not_connected)?,
                Err(_) => return Err(MigrationError::NotYet("no connection within the time limit".to_owned())),
            };
            // sqlx takes an advisory lock of PostgreSQL for the whole run. (`run` would do, but its future is not `Send`.)
            POSTGRES.run_direct(None, &mut connection, false).await.map_err(not_migrated)?;
            connection.close().await.map_err(not_connected)
        }
        DatabaseUrl::Sqlite(options) => {
            // sqlx takes no lock of its own for SQLite; a file beside the database serves.
            let _lock = lock_beside(options.get_filename()).await?;
            let server = Sqlite::new(options.clone(), settings.query_timeout);
            let mut connection = super::session::Server::connect(&server, None).await.map_err(not_connected)?;
            SQLITE.run_direct(None, &mut connection, false).await.map_err(not_migrated)?;
            connection.close().await.map_err(not_connected)
        }
    }
}

fn not_connected(error: sqlx::Error) -> MigrationError {
    MigrationError::NotYet(Fault::from(error).to_string())
}

fn not_migrated(error: MigrateError) -> MigrationError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => match Fault::from(error) {
            Fault::Row(told) | Fault::Other(told) => MigrationError::Broken(told),
            fault => MigrationError::NotYet(fault.to_string()),
        },
        error => MigrationError::Broken(error.to_string()),
    }
}

async fn lock_beside(database: &std::path::Path) -> Result<File, MigrationError> {
    let mut path = database.as_os_str().to_owned();
    path.push(".migration-lock");
    let not_yet = |error: &dyn std::fmt::Display| MigrationError::NotYet(format!("{}: {error}", path.to_string_lossy()));
    let file = File::create(&path).map_err(|error| not_yet(&error))?;
    let until = Instant::now() + LOCK_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(LOOK_AGAIN).await,
            Err(TryLockError::WouldBlock) => return Err(not_yet(&"another migration runs")),
            Err(TryLockError::Error(error)) => return Err(not_yet(&error)),
        }
    }
}
