//! The two kinds of database behind one interface: where connections come from, and the statements that they run.

use chrono::NaiveDate;

use super::Condition;
use super::credentials::Login;
use super::{postgres, sqlite};
use crate::birthday::{DateOfBirth, Username};

/// All but the creation of a name may be executed twice with the same result.
pub enum Statement {
    Find(Vec<Username>),
    /// Creates or replaces, all in one commit. Of several dates for one name the last is saved.
    Save(Vec<(Username, DateOfBirth)>),
    SaveIf(Username, DateOfBirth, Condition),
    Delete(Username),
    /// The next names in ascending order, so many at the most.
    Page(Option<Username>, usize),
}

/// What a statement found, in any order, and how many rows it wrote.
pub struct Outcome {
    pub rows: Vec<(String, NaiveDate)>,
    pub written: u64,
}

impl Outcome {
    pub fn found(rows: Vec<(String, NaiveDate)>) -> Self {
        Self { rows, written: 0 }
    }

    pub fn written(written: u64) -> Self {
        Self { rows: Vec::new(), written }
    }
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
    pub async fn connect(&self, login: Option<&Login>) -> sqlx::Result<Connection> {
        match self {
            Self::Postgres(database) => database.connect(login).await.map(Connection::Postgres),
            Self::Sqlite(database) => database.connect().await.map(Connection::Sqlite),
        }
    }
}

impl Connection {
    pub async fn run(&mut self, statement: &Statement) -> sqlx::Result<Outcome> {
        match self {
            Self::Postgres(connection) => connection.run(statement).await,
            Self::Sqlite(connection) => connection.run(statement).await,
        }
    }

    /// Runs fixed SQL, several statements if need be.
    pub async fn execute(&mut self, sql: &str) -> sqlx::Result<()> {
        let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
        match self {
            Self::Postgres(connection) => sql.execute(&mut connection.inner).await.map(drop),
            Self::Sqlite(connection) => sql.execute(&mut connection.inner).await.map(drop),
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
