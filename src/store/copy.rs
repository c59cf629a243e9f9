//! Copies all birthdays from one database to another of either kind: to move from SQLite to PostgreSQL, or to back up to a file.

use std::future::ready;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;
use std::time::Duration;

use rocket::futures::{Stream, StreamExt, TryStreamExt};

use super::database::{Connection, Database, Row, Statement};
use super::error::{Error, Kind};
use super::migrate::{MigrationError, up_to_date};
use super::settings::DatabaseUrl;
use crate::birthday::DateOfBirth;

/// The number of rows held in memory at a time.
const PAGE: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the copy failed. The target's birthdays are as they were before.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("source: {0}")]
    Source(Error),
    #[error("target: {0}")]
    Target(Error),
    #[error("target: {0}")]
    Schema(#[from] MigrationError),
    #[error("the target already has birthdays; --replace deletes them")]
    NotEmpty,
    #[error("the copy differs from the source: it has {0} of {1} rows, or different contents")]
    Differs(usize, usize),
}

/// Copies in one transaction and compares both sides; calls `progress` with the number of rows after each page.
pub async fn copy(from: &DatabaseUrl, to: &DatabaseUrl, replace: bool, progress: impl Fn(usize)) -> Result<usize, CopyError> {
    let in_target = |error: sqlx::Error| CopyError::Target(error.into());
    up_to_date(to, None, PATIENCE, PATIENCE).await?;
    let source = Database::new(from, PATIENCE, true, true).connect(None).await;
    let mut source = source.map_err(|error| CopyError::Source(error.into()))?;
    let mut target = Database::new(to, PATIENCE, true, false).connect(None).await.map_err(in_target)?;
    // The time limits of a role or a database are for single requests.
    let begin = "begin; set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0";
    if let Connection::Postgres(_) = source {
        source.execute(begin).await.map_err(|error| CopyError::Source(error.into()))?;
    }
    target.execute(if let Connection::Postgres(_) = target { begin } else { "begin immediate" }).await.map_err(in_target)?;
    if replace {
        target.execute("delete from birthdays").await.map_err(in_target)?;
    } else if target.rows().try_next().await.map_err(in_target)?.is_some() {
        return Err(CopyError::NotEmpty);
    }
    let mut copied = Sum::default();
    {
        let mut pages = pin!(rows(&mut source).try_chunks(PAGE));
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CopyError::Source(error.1))?;
            page.iter().for_each(|row| copied.add(row));
            target.run(Statement::Save(&page)).await.map_err(in_target)?;
            progress(copied.rows);
        }
    }
    let mut found = Sum::default();
    let compared = rows(&mut target).inspect_ok(|row| found.add(row)).try_for_each(|_| ready(Ok(())));
    compared.await.map_err(CopyError::Target)?;
    if found.rows != copied.rows || found.hash.finish() != copied.hash.finish() {
        return Err(CopyError::Differs(found.rows, copied.rows));
    }
    source.close().await.map_err(|error| CopyError::Source(error.into()))?;
    target.execute("commit").await.map_err(in_target)?;
    // The copy is complete, however this connection ends.
    target.close().await.unwrap_or_else(|error| tracing::debug!("the target did not close cleanly: {error}"));
    Ok(copied.rows)
}

/// The number of rows, and a hash of their contents in order.
#[derive(Default)]
struct Sum {
    rows: usize,
    hash: DefaultHasher,
}

impl Sum {
    fn add(&mut self, (name, born): &Row) {
        self.rows += 1;
        (name.as_str(), born.date()).hash(&mut self.hash);
    }
}

fn rows(connection: &mut Connection) -> impl Stream<Item = Result<Row, Error>> {
    connection.rows().map(|row| {
        let (name, born) = row?;
        let name = name.parse().map_err(|error| Error::new(Kind::Row, format!("a username is not valid: {error}")))?;
        Ok((name, DateOfBirth::from_kept(born)))
    })
}
