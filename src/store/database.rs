//! One interface to both kinds of database: how to connect, and the statements to run.

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
/// A row as read from the database.
pub type Read = (String, NaiveDate);

/// All except the creation of a name can be executed twice with the same result.
#[derive(Clone, Copy)]
pub enum Statement<'a> {
    Find(&'a [Username]),
    /// Creates or replaces, all in one commit. If a name has several dates, the last one is saved.
    Save(&'a [Row]),
    SaveIf(&'a Row, Condition),
    Delete(&'a Username),
}

/// The rows that a statement found, in any order, and how many it wrote.
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
    /// `limit` is the time limit of a statement or a lock; `standby` says whether a standby is acceptable.
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

    /// Runs fixed SQL of one or more statements.
    pub async fn execute(&mut self, sql: &str) -> sqlx::Result<()> {
        let sql = raw_sql(AssertSqlSafe(sql));
        match self {
            Self::Postgres(connection) => sql.execute(&mut connection.inner).await.map(drop),
            Self::Sqlite(connection) => sql.execute(&mut connection.inner).await.map(drop),
        }
    }

    /// All rows in ascending order, from one consistent snapshot.
    pub fn rows(&mut self) -> BoxStream<'_, sqlx::Result<Read>> {
        let all = raw_sql("select username, date_of_birth from birthdays order by username");
        match self {
            Self::Postgres(connection) => all.fetch(&mut connection.inner).map(|row| Read::from_row(&row?)).boxed(),
            Self::Sqlite(connection) => all.fetch(&mut connection.inner).map(|row| Read::from_row(&row?)).boxed(),
        }
    }

    /// Fails if the connection is broken or leads to the wrong server.
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
