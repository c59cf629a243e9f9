//! One interface to both kinds of database: how to connect, and the statements to run.

use std::collections::BTreeMap;
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

pub enum Write {
    Save(Row, Condition),
    Delete(Username),
}

/// All except the creation of a name can be executed twice with the same result.
#[derive(Clone, Copy)]
pub enum Statement<'a> {
    Find(&'a [Username]),
    /// Creates or replaces, all in one commit. If a name has several dates, the last one is saved.
    Save(&'a [Row]),
    Write(&'a Write),
}

/// A parameter of a statement.
pub enum Value<'a> {
    Name(&'a str),
    Date(NaiveDate),
    Names(Vec<&'a str>),
    /// One row per name; the order prevents deadlocks between two writers.
    Rows(BTreeMap<&'a str, NaiveDate>),
}

const FIND_ONE: &str = "select username, date_of_birth from birthdays where username = $1";
/// An unchanged date is not written again. One statement is one transaction (PostgreSQL manual, "Transactions").
const SAVE_ONE: &str = "insert into birthdays (username, date_of_birth) values ($1, $2) on conflict (username) do update \
    set date_of_birth = excluded.date_of_birth where birthdays.date_of_birth <> excluded.date_of_birth";
const CREATE: &str = "insert into birthdays (username, date_of_birth) values ($1, $2) on conflict (username) do nothing";
const REPLACE: &str = "update birthdays set date_of_birth = $2 where username = $1";
const DELETE: &str = "delete from birthdays where username = $1";

impl<'a> Statement<'a> {
    /// The SQL and its parameters. `find` and `save` are the database's own SQL for several names.
    pub fn sql(self, find: &'static str, save: &'static str) -> (&'static str, Vec<Value<'a>>) {
        let row = |(name, born): &'a Row| vec![Value::Name(name.as_str()), Value::Date(born.date())];
        match self {
            Self::Find([name]) => (FIND_ONE, vec![Value::Name(name.as_str())]),
            Self::Find(names) => (find, vec![Value::Names(names.iter().map(Username::as_str).collect())]),
            Self::Save([one]) | Self::Write(Write::Save(one, Condition::None)) => (SAVE_ONE, row(one)),
            Self::Save(rows) => {
                let rows = rows.iter().map(|(name, born)| (name.as_str(), born.date()));
                (save, vec![Value::Rows(rows.collect())])
            }
            Self::Write(Write::Save(one, Condition::IfAbsent)) => (CREATE, row(one)),
            Self::Write(Write::Save(one, Condition::IfPresent)) => (REPLACE, row(one)),
            Self::Write(Write::Delete(name)) => (DELETE, vec![Value::Name(name.as_str())]),
        }
    }
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
