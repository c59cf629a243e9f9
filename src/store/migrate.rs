//! Brings the schema up to date. Concurrent migrations are safe, and a schema newer than this binary is left as it is.
//!
//! The files and the table `_sqlx_migrations` are sqlx's. Its own runner uses a session lock and named statements, which a pooler
//! does not preserve, and takes no lock with SQLite; so each migration runs in one transaction that takes the lock.

use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType};
use sqlx::{AssertSqlSafe, FromRow, SqlSafeStr, raw_sql};
use tokio::time::{Instant, sleep, timeout};

use super::credentials::Login;
use super::database::{Connection, Database};
use super::error::{Error, Kind};
use super::settings::{DatabaseUrl, Settings};

/// Version, description and text of every file, oldest first. sqlx's macro would list them, but compiles sqlx and SQLite twice.
pub type File = (i64, &'static str, &'static str);
const POSTGRES: &[File] = &[(1, "birthdays", include_str!("../../migrations/postgres/0001_birthdays.sql"))];
const SQLITE: &[File] = &[(1, "birthdays", include_str!("../../migrations/sqlite/0001_birthdays.sql"))];

/// A migration that waits longer than this for a lock gives up and tries again, so that the service does not queue up behind it.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(1);

/// Why the schema is not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database is unreachable, or a lock is held: a retry may succeed.
    #[error("the schema cannot be brought up to date yet: {0}")]
    NotYet(String),
    /// A retry would fail in the same way.
    #[error("the schema cannot be brought up to date: {0}")]
    Broken(String),
}

impl From<sqlx::Error> for MigrationError {
    fn from(error: sqlx::Error) -> Self {
        let error = Error::from(error);
        match error.kind {
            // Waiting fixes neither a file that cannot be opened nor a missing privilege.
            Kind::Row | Kind::Schema | Kind::Other | Kind::Stale | Kind::ReadOnly => Self::Broken(error.to_string()),
            _ => Self::NotYet(error.to_string()),
        }
    }
}

/// Runs before the service starts serving, if the settings ask for it. An unreachable database does not prevent the start: the
/// migration continues while the service runs.
pub async fn migrate_at_start(settings: &Settings) -> Result<(), MigrationError> {
    if !settings.migrate() {
        return Ok(());
    }
    let outcome = migrate(settings, settings.connect_timeout).await;
    let Err(MigrationError::NotYet(reason)) = outcome else { return outcome };
    tracing::warn!("the schema may be out of date, trying again until it is up to date: {reason}");
    let settings = settings.clone();
    tokio::spawn(async move {
        match migrate_within(&settings, Duration::MAX).await {
            Ok(()) => tracing::info!("the schema is up to date"),
            Err(error) => tracing::error!("{error}"),
        }
    });
    Ok(())
}

/// Migrates; while the database is unreachable or locked, retries until `wait` is over. A running migration is not interrupted.
pub async fn migrate_within(settings: &Settings, wait: Duration) -> Result<(), MigrationError> {
    // None: later than the clock can represent, so there is no limit.
    let until = Instant::now().checked_add(wait);
    let left = || until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
    let mut last = String::new();
    let mut limit = left().max(PAUSE);
    loop {
        let outcome = migrate(settings, limit).await;
        let Err(MigrationError::NotYet(reason)) = &outcome else { return outcome };
        if *reason != last {
            tracing::info!("waiting for the database: {reason}");
            last.clone_from(reason);
        }
        sleep(PAUSE.min(left())).await;
        limit = left();
        if limit.is_zero() {
            return outcome;
        }
    }
}

/// One attempt, which ends within `left` if the database does not answer.
async fn migrate(settings: &Settings, left: Duration) -> Result<(), MigrationError> {
    let login = settings.login().map_err(|error| MigrationError::NotYet(error.to_string()))?;
    up_to_date(&settings.url, login.as_ref(), settings.connect_timeout.min(left), LOCK_TIMEOUT.min(left)).await
}

/// Connects within `limit`, waits at most `lock_timeout` for a lock, and runs the pending migrations.
pub async fn up_to_date(
    url: &DatabaseUrl,
    login: Option<&Login>,
    limit: Duration,
    lock_timeout: Duration,
) -> Result<(), MigrationError> {
    let files = if let DatabaseUrl::Postgres(_) = url { POSTGRES } else { SQLITE };
    apply_migrations(files, url, login, limit, lock_timeout).await
}

/// The same with these files.
pub async fn apply_migrations(
    files: &[File],
    url: &DatabaseUrl,
    login: Option<&Login>,
    limit: Duration,
    lock_timeout: Duration,
) -> Result<(), MigrationError> {
    let url = match url {
        DatabaseUrl::Postgres(_) => url.clone(),
        DatabaseUrl::Sqlite(options) => DatabaseUrl::Sqlite(options.clone().create_if_missing(true)),
    };
    let migrations: Vec<Migration> = files.iter().map(migration).collect();
    // As behind a pooler, so that statements have no time limit.
    let database = Database::new(&url, lock_timeout, true, false);
    let mut connection = match timeout(limit, database.connect(login)).await {
        Ok(connected) => connected?,
        Err(_) => return Err(MigrationError::NotYet(format!("no connection within {} ms", limit.as_millis()))),
    };
    loop {
        let begun = timeout(limit + lock_timeout, begin(&mut connection, lock_timeout)).await;
        let applied = begun.map_err(|_| MigrationError::NotYet("no answer within the time limit".to_owned()))??;
        let mut pending = None;
        for migration in &migrations {
            match applied.iter().find(|(version, _)| *version == migration.version) {
                Some((version, checksum)) if *checksum != hex(migration) => {
                    return Err(MigrationError::Broken(format!("migration {version} was changed after it had been applied")));
                }
                Some(_) => {}
                None => pending = pending.or(Some(migration)),
            }
        }
        let Some(migration) = pending else {
            connection.execute("rollback").await?;
            return Ok(connection.close().await?);
        };
        if migration.no_tx {
            // For statements that PostgreSQL refuses in a transaction; the lock is held meanwhile.
            let mut beside = database.connect(login).await?;
            beside.execute(migration.sql.as_str()).await?;
            beside.close().await?;
        } else {
            connection.execute(migration.sql.as_str()).await?;
        }
        connection.execute(&note(migration, &connection)).await?;
    }
}

fn migration((version, description, text): &File) -> Migration {
    let outside = text.starts_with("-- no-transaction");
    Migration::new(*version, (*description).into(), MigrationType::Simple, text.into_sql_str(), outside)
}

/// Begins a transaction that excludes other migrations, and returns the versions and checksums of those already applied.
async fn begin(connection: &mut Connection, lock_timeout: Duration) -> sqlx::Result<Vec<(i64, String)>> {
    match connection {
        Connection::Postgres(connection) => {
            // The transaction idles while a migration runs outside of it.
            let begin = format!(
                "begin; set local lock_timeout = {}; set local statement_timeout = 0; \
                 set local idle_in_transaction_session_timeout = 0; select pg_advisory_xact_lock(4201118); {}",
                lock_timeout.as_millis(),
                include_str!("../../migrations/applied.postgres.sql")
            );
            raw_sql(AssertSqlSafe(begin)).execute(&mut connection.inner).await?;
            let applied = raw_sql("select version, encode(checksum, 'hex') from _sqlx_migrations");
            applied.fetch_all(&mut connection.inner).await?.iter().map(FromRow::from_row).collect()
        }
        Connection::Sqlite(connection) => {
            let begin = concat!("begin immediate; ", include_str!("../../migrations/applied.sqlite.sql"));
            raw_sql(begin).execute(&mut connection.inner).await?;
            sqlx::query_as("select version, lower(hex(checksum)) from _sqlx_migrations").fetch_all(&mut connection.inner).await
        }
    }
}

/// The SQL that records the migration as applied, and commits.
fn note(migration: &Migration, connection: &Connection) -> String {
    let checksum = match connection {
        Connection::Postgres(_) => format!("'\\x{}'", hex(migration)),
        Connection::Sqlite(_) => format!("x'{}'", hex(migration)),
    };
    format!(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values ({}, '{}', true, {checksum}, 0); commit",
        migration.version,
        migration.description.replace('\'', "''")
    )
}

fn hex(migration: &Migration) -> String {
    migration.checksum.iter().map(|byte| format!("{byte:02x}")).collect()
}
