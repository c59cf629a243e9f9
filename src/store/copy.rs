//! Copying all birthdays from one database to another, of either kind: to outgrow SQLite, and as a backup into a file.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::database::{Connection, Database, Statement};
use super::error::{Error, Kind};
use super::migrate::{MigrationError, up_to_date};
use super::settings::DatabaseUrl;
use super::{postgres, sqlite};
use crate::birthday::{DateOfBirth, Username, UsernameError};

/// Rows that are in memory at a time.
const PAGE: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no copy. The target is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("{0}: {1}")]
    Database(&'static str, Error),
    #[error("target: {0}")]
    Schema(#[from] MigrationError),
    #[error("the target holds birthdays already; --replace deletes them")]
    NotEmpty,
    #[error("the copy differs from the source: {0} rows of {1}, or other contents")]
    Differs(usize, usize),
}

/// Copies in one transaction of each database and compares both; calls `progress` with the number of rows after each page.
pub async fn copy(from: &DatabaseUrl, to: &DatabaseUrl, replace: bool, progress: impl Fn(usize)) -> Result<usize, CopyError> {
    up_to_date(to, None, true, PATIENCE, PATIENCE).await?;
    let (mut source, mut target) = (open("source", from).await?, open("target", to).await?);
    let begin = match source {
        Connection::Postgres(_) => "begin isolation level repeatable read, read only",
        Connection::Sqlite(_) => "begin",
    };
    source.execute(begin).await.map_err(|error| CopyError::Database("source", error.into()))?;
    let written = |error: sqlx::Error| CopyError::Database("target", error.into());
    target.execute(if let Connection::Postgres(_) = target { "begin" } else { "begin immediate" }).await.map_err(written)?;
    if replace {
        target.execute("delete from birthdays").await.map_err(written)?;
    } else if !page("target", &mut target, None).await?.is_empty() {
        return Err(CopyError::NotEmpty);
    }
    let mut copied = Sum::default();
    let mut last = None;
    loop {
        let rows = page("source", &mut source, last).await?;
        let Some((name, _)) = rows.last() else { break };
        last = Some(name.clone());
        copied.add(&rows);
        target.run(&Statement::Save(rows)).await.map_err(written)?;
        progress(copied.rows);
    }
    let (mut found, mut last) = (Sum::default(), None);
    loop {
        let rows = page("target", &mut target, last).await?;
        let Some((name, _)) = rows.last() else { break };
        last = Some(name.clone());
        found.add(&rows);
    }
    if found.rows != copied.rows || found.hash.finish() != copied.hash.finish() {
        return Err(CopyError::Differs(found.rows, copied.rows));
    }
    target.execute("commit").await.map_err(written)?;
    target.close().await.map_err(written)?;
    source.close().await.map_err(|error| CopyError::Database("source", error.into()))?;
    Ok(copied.rows)
}

/// How many rows, and a hash of their contents in order.
#[derive(Default)]
struct Sum {
    rows: usize,
    hash: DefaultHasher,
}

impl Sum {
    fn add(&mut self, rows: &[(Username, DateOfBirth)]) {
        self.rows += rows.len();
        rows.iter().for_each(|(name, born)| (name.as_str(), born.date()).hash(&mut self.hash));
    }
}

async fn open(side: &'static str, url: &DatabaseUrl) -> Result<Connection, CopyError> {
    let database = match url {
        DatabaseUrl::Postgres(options) => Database::Postgres(postgres::Database::new(options, None, true, side == "source")),
        DatabaseUrl::Sqlite(options) => Database::Sqlite(sqlite::Database::new(options, PATIENCE, false)),
    };
    database.connect(None).await.map_err(|error| CopyError::Database(side, error.into()))
}

/// The rows after a name, in order.
async fn page(
    side: &'static str,
    of: &mut Connection,
    after: Option<Username>,
) -> Result<Vec<(Username, DateOfBirth)>, CopyError> {
    let found = of.run(&Statement::Page(after, PAGE)).await.map_err(|error| CopyError::Database(side, error.into()))?;
    let row = |(name, born): (String, _)| Ok((name.parse()?, DateOfBirth::from_kept(born)));
    let rows: Result<_, UsernameError> = found.rows.into_iter().map(row).collect();
    rows.map_err(|error| CopyError::Database(side, Error::new(Kind::Row, format!("a username is not valid: {error}"))))
}
