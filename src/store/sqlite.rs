//! Birthdays in an SQLite file, for one service on one machine.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use serde_json::json;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use super::Condition;
use super::database::{Outcome, Statement};
use crate::birthday::Username;

/// A file, whatever it is called: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|found| Self(found.dev(), found.ino()))
    }
}

pub struct Database {
    options: SqliteConnectOptions,
    /// The file that the open connections have open; each holds a read lock.
    file: Arc<RwLock<Option<Identity>>>,
}

pub struct Connection {
    pub inner: SqliteConnection,
    path: PathBuf,
    /// Its write-ahead log.
    log: (PathBuf, Option<Identity>),
    file: OwnedRwLockReadGuard<Option<Identity>>,
}

impl Database {
    /// WAL lets lookups go on while a save commits; FULL has every commit on the disk before it is answered
    /// (<https://www.sqlite.org/pragma.html#pragma_synchronous>). Only a migration creates the file.
    pub fn new(options: &SqliteConnectOptions, query_timeout: Duration, create: bool) -> Self {
        let options = options
            .clone()
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // Below the limit of the statement, so that a locked database is reported as such.
            .busy_timeout(query_timeout.mul_f64(0.9))
            .disable_statement_logging();
        Self { options, file: Arc::default() }
    }

    /// Once the file was replaced, waits until every connection to the former one is closed: their shared memory has the same name.
    pub async fn connect(&self) -> sqlx::Result<Connection> {
        let path = self.options.get_filename();
        if !path.exists() {
            // Creates it, or says why not.
            sqlx::Connection::close(self.options.connect().await?).await?;
        }
        let found = Some(Identity::of(path)?);
        let mut file = self.file.clone().read_owned().await;
        if *file != found {
            drop(file);
            let mut alone = self.file.clone().write_owned().await;
            *alone = found;
            file = alone.downgrade();
        }
        let inner = self.options.connect().await?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let log_now = Identity::of(&log).ok();
        Ok(Connection { inner, path: path.to_owned(), log: (log, log_now), file })
    }
}

const FIND_ONE: &str = "select username, date_of_birth from birthdays where username = ?1";
const FIND: &str = "select username, date_of_birth from birthdays where username in (select value from json_each(?1))";
const PAGE: &str = "select username, date_of_birth from birthdays where username > ?1 order by username limit ?2";
/// `where true`: without it the parser takes ON for a join's (<https://www.sqlite.org/lang_upsert.html>, "Parsing Ambiguity").
const SAVE: &str = "insert into birthdays (username, date_of_birth) select value ->> 0, value ->> 1 from json_each(?1) where true \
    on conflict (username) do update set date_of_birth = excluded.date_of_birth where date_of_birth <> excluded.date_of_birth";
const CREATE: &str = "insert into birthdays (username, date_of_birth) values (?1, ?2) on conflict (username) do nothing";
const REPLACE: &str = "update birthdays set date_of_birth = ?2 where username = ?1";
const DELETE: &str = "delete from birthdays where username = ?1";

impl Connection {
    pub async fn run(&mut self, statement: &Statement) -> sqlx::Result<Outcome> {
        let outcome = self.run_here(statement).await?;
        // After the commit: what was written into a file without a name must not be acknowledged.
        self.verify()?;
        Ok(outcome)
    }

    async fn run_here(&mut self, statement: &Statement) -> sqlx::Result<Outcome> {
        let query = match statement {
            Statement::Find(names) => {
                let query = match &names[..] {
                    [name] => sqlx::query_as(FIND_ONE).bind(name.as_str()),
                    // A list as one JSON parameter: SQLite has no arrays.
                    names => sqlx::query_as(FIND).bind(json!(names.iter().map(Username::as_str).collect::<Vec<_>>()).to_string()),
                };
                return query.fetch_all(&mut self.inner).await.map(Outcome::found);
            }
            Statement::Page(after, limit) => {
                let query = sqlx::query_as(PAGE).bind(after.as_ref().map_or("", Username::as_str)).bind(*limit as i64);
                return query.fetch_all(&mut self.inner).await.map(Outcome::found);
            }
            Statement::Save(rows) => {
                let rows: HashMap<&str, String> = rows.iter().map(|(name, born)| (name.as_str(), born.to_string())).collect();
                sqlx::query(SAVE).bind(json!(rows.iter().collect::<Vec<_>>()).to_string())
            }
            Statement::SaveIf(name, born, condition) => {
                let sql = if *condition == Condition::IfPresent { REPLACE } else { CREATE };
                sqlx::query(sql).bind(name.as_str()).bind(born.to_string())
            }
            Statement::Delete(name) => sqlx::query(DELETE).bind(name.as_str()),
        };
        query.execute(&mut self.inner).await.map(|done| Outcome::written(done.rows_affected()))
    }

    /// An error if the file no longer has its name.
    pub fn verify(&self) -> sqlx::Result<()> {
        match Identity::of(&self.path) {
            Ok(found) if Some(found) == *self.file => Ok(()),
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
            tracing::warn!("the last commits of the former database file may not be in it: {error}");
        }
        sqlx::Connection::close(self.inner).await?;
        if Identity::of(&self.log.0).ok().is_some_and(|found| Some(found) == self.log.1) {
            fs::remove_file(&self.log.0)?;
        }
        Ok(())
    }
}
