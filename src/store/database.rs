//! The two kinds of database behind one interface: where connections come from, and the statements that they run.

use std::time::Duration;

use chrono::NaiveDate;
use rocket::futures::StreamExt;
use rocket::futures::stream::BoxStream;
use sqlx::{AssertSqlSafe, FromRow, raw_sql};

use super::Condition;
use super::credentials::Login;
use super::settings::DatabaseUrl;
use super::{postgres, sqlite};
use crate::birthday::{DateOfBirth, Username};

pub type Row = (Username, DateOfBirth);
/// A row as it was read.
pub type Read = (String, NaiveDate);

/// All but the creation of a name may be executed twice with the same result.
#[derive(Clone, Copy)]
pub enum Statement<'a> {
    Find(&'a [Username]),
    /// Creates or replaces, all in one commit. Of several dates for one name the last is saved.
    Save(&'a [Row]),
    SaveIf(&'a Row, Condition),
    Delete(&'a Username),
}

/// What a statement found, in any order, and how many rows it wrote.
#[derive(Default)]
pub struct Outcome {
    pub rows: Vec<Read>,
    pub written: u64,
}

pub enum Database {
    Postgres(postgres::Database),
    Sqlite(sqlite::Database),
}

pub enum Connection {
    Postgres(postgres::Connection),
    Sqlite(sqlite::Connection),
}

impl Database {
    /// `limit` is what a statement or a lock may take; `standby`, whether one will do.
    pub fn new(url: &DatabaseUrl, limit: Duration, pooler: bool, standby: bool) -> Self {
        match url {
            DatabaseUrl::Postgres(options) => Self::Postgres(postgres::Database::new(options, limit, pooler, standby)),
            DatabaseUrl::Sqlite(options) => Self::Sqlite(sqlite::Database::new(options, limit)),
        }
    }

    pub async fn connect(&self, login: Option<&Login>) -> sqlx::Result<Connection> {
        match self {
            Self::Postgres(database) => database.connect(login).await.map(Connection::Postgres),
            Self::Sqlite(database) => database.connect().await.map(Connection::Sqlite),
        }
    }
}

impl Connection {
    pub async fn run(&mut self, statement: Statement<'_>) -> sqlx::Result<Outcome> {
        match self {
            Self::Postgres(connection) => connection.run(statement).await,
            Self::Sqlite(connection) => connection.run(statement).await,
        }
    }

    /// Runs fixed SQL, several statements if need be.
    pub async fn execute(&mut self, sql: &str) -> sqlx::Result<()> {
        let sql = raw_sql(AssertSqlSafe(sql));
        match self {
            Self::Postgres(connection) => sql.execute(&mut connection.inner).await.map(drop),
            Self::Sqlite(connection) => sql.execute(&mut connection.inner).await.map(drop),
        }
    }

    /// All rows in ascending order, as they are at one moment.
    pub fn rows(&mut self) -> BoxStream<'_, sqlx::Result<Read>> {
        let all = raw_sql("select username, date_of_birth from birthdays order by username");
        match self {
            Self::Postgres(connection) => all.fetch(&mut connection.inner).map(|row| Read::from_row(&row?)).boxed(),
            Self::Sqlite(connection) => all.fetch(&mut connection.inner).map(|row| Read::from_row(&row?)).boxed(),
        }
    }

    /// An error if the connection is broken, or does not lead to the server that is wanted.
    pub async fn verify(&mut self) -> sqlx::Result<()> {
        match self {
            Self::Postgres(connection) => connection.verify().await,
            Self::Sqlite(connection) => connection.verify(),
        }
    }

    pub async fn close(self) -> sqlx::Result<()> {
        match self {
            Self::Postgres(connection) => sqlx::Connection::close(connection.inner).await,
            Self::Sqlite(connection) => connection.close().await,
        }
    }
}
