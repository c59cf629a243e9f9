//! Birthdays in an SQLite file, for one service on one machine.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, FromRow};
use tokio::sync::{Mutex, OwnedRwLockReadGuard, RwLock};

use super::database::{Outcome, Read, Statement, Value};

/// Identifies a file regardless of its name: device and inode.
type Identity = Option<(u64, u64)>;

fn identity(path: &Path) -> Identity {
    fs::metadata(path).map(|found| (found.dev(), found.ino())).ok()
}

pub struct Database {
    options: SqliteConnectOptions,
    /// The file that the open connections use; each holds a read lock.
    file: Arc<RwLock<Identity>>,
    /// Held to compare and change `file`: two tasks that both wait to change it would deadlock.
    turn: Mutex<()>,
}

pub struct Connection {
    pub inner: SqliteConnection,
    path: PathBuf,
    /// Its write-ahead log.
    log: (PathBuf, Identity),
    file: OwnedRwLockReadGuard<Identity>,
}

impl Database {
    /// WAL lets lookups continue while a save commits; FULL puts every commit on the disk before it is answered
    /// (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
    pub fn new(options: &SqliteConnectOptions, limit: Duration) -> Self {
        let options = options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // Below the statement's time limit, so that a locked database is reported as such; SQLite adds up the pauses that it asks
            // for, and on a busy machine each lasts longer.
            .busy_timeout(limit.mul_f64(0.75))
            .disable_statement_logging();
        Self { options, file: Arc::default(), turn: Mutex::default() }
    }

    /// The first to open a file waits until every connection to the former one is closed: their shared memory has the same name.
    pub async fn connect(&self) -> sqlx::Result<Connection> {
        let path = self.options.get_filename();
        let turn = self.turn.lock().await;
        let file = self.file.clone().read_owned().await;
        let (inner, file) = if file.is_some() && *file == identity(path) {
            drop(turn);
            (self.options.connect().await?, file)
        } else {
            drop(file);
            let mut alone = self.file.clone().write_owned().await;
            if !path.exists() {
                // Creates the file, or reports why it cannot.
                sqlx::Connection::close(self.options.connect().await?).await?;
            }
            let found = identity(path);
            // Alone: while two connections switch a file to WAL, SQLite refuses one as busy without waiting.
            let inner = self.options.connect().await?;
            *alone = found;
            (inner, alone.downgrade())
        };
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        Ok(Connection { inner, path: path.to_owned(), log: (log.clone(), identity(&log)), file })
    }
}

/// A list is passed as one JSON parameter: SQLite has no arrays.
const FIND: &str = "select username, date_of_birth from birthdays where username in (select value from json_each($1))";
/// `where true`: else the parser takes ON for a join condition (<https://www.sqlite.org/lang_upsert.html>, "Parsing Ambiguity").
const SAVE: &str = "insert into birthdays (username, date_of_birth) select key, value from json_each($1) where true \
    on conflict (username) do update set date_of_birth = excluded.date_of_birth where date_of_birth <> excluded.date_of_birth";

fn json(list: &impl Serialize) -> String {
    serde_json::to_string(list).expect("names and dates are strings")
}

impl Connection {
    pub async fn run(&mut self, statement: Statement<'_>) -> sqlx::Result<Outcome> {
        let (sql, values) = statement.sql(FIND, SAVE);
        let query = values.into_iter().fold(sqlx::query(sql), |query, value| match value {
            Value::Name(name) => query.bind(name),
            Value::Date(date) => query.bind(date),
            Value::Names(names) => query.bind(json(&names)),
            Value::Rows(rows) => query.bind(json(&rows)),
        });
        let mut outcome = Outcome::default();
        if let Statement::Find(_) = statement {
            let rows = query.fetch_all(&mut self.inner).await?;
            outcome.rows = rows.iter().map(Read::from_row).collect::<sqlx::Result<_>>()?;
        } else {
            outcome.written = query.execute(&mut self.inner).await?.rows_affected();
        }
        // After the commit: a write into a file that no longer has its name must not be acknowledged.
        self.verify()?;
        Ok(outcome)
    }

    /// Fails if the file no longer has its name.
    pub fn verify(&self) -> sqlx::Result<()> {
        match identity(&self.path) {
            found @ Some(_) if found == *self.file => Ok(()),
            _ => Err(sqlx::Error::Io(io::Error::other("the database file was moved, replaced or removed"))),
        }
    }

    /// Leaves no log of a replaced file behind: SQLite would replay it into the new one
    /// (<https://www.sqlite.org/howtocorrupt.html>, "Unlinking or renaming a database file while in use").
    pub async fn close(mut self) -> sqlx::Result<()> {
        if self.verify().is_ok() {
            return sqlx::Connection::close(self.inner).await;
        }
        let copied = sqlx::raw_sql("pragma wal_checkpoint(truncate)").execute(&mut self.inner).await;
        if let Err(error) = copied {
            tracing::warn!("the former database file may lack its last commits: {error}");
        }
        sqlx::Connection::close(self.inner).await?;
        let (log, opened) = &self.log;
        if opened.is_some() && identity(log) == *opened {
            fs::remove_file(log)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
