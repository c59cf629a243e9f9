//! Birthdays in an SQLite file, for one service on one machine.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

use super::Condition;
use super::credentials::Login;
use super::session::{Connection, Server};
use crate::birthday::{DateOfBirth, Username};

pub struct Sqlite(SqliteConnectOptions);

impl Sqlite {
    /// WAL lets lookups go on while a save commits; FULL has every commit on the disk before it is answered
    /// (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
    pub fn new(options: SqliteConnectOptions, query_timeout: Duration) -> Self {
        Self(
            options
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(query_timeout)
                .disable_statement_logging(),
        )
    }
}

impl Server for Sqlite {
    type Connection = SqliteConnection;

    async fn connect(&self, _login: Option<&Login>) -> sqlx::Result<SqliteConnection> {
        self.0.connect().await
    }
}

/// A list as one JSON parameter: SQLite has no arrays.
fn json(list: impl Iterator<Item = serde_json::Value>) -> String {
    serde_json::Value::from_iter(list).to_string()
}

impl Connection for SqliteConnection {
    async fn find(&mut self, names: &[Username]) -> sqlx::Result<Vec<(String, NaiveDate)>> {
        if let [name] = names {
            sqlx::query_as("select username, date_of_birth from birthdays where username = ?1")
                .bind(name.as_str())
                .fetch_all(self)
                .await
        } else {
            sqlx::query_as("select username, date_of_birth from birthdays where username in (select value from json_each(?1))")
                .bind(json(names.iter().map(|name| name.as_str().into())))
                .fetch_all(self)
                .await
        }
    }

    async fn save(&mut self, rows: &BTreeMap<&Username, DateOfBirth>) -> sqlx::Result<()> {
        // `where true`: without it the parser takes ON for a join's (https://www.sqlite.org/lang_upsert.html, "Parsing Ambiguity").
        sqlx::query(
            "insert into birthdays (username, date_of_birth) select value ->> 0, value ->> 1 from json_each(?1) where true \
             on conflict (username) do update set date_of_birth = excluded.date_of_birth where date_of_birth <> excluded.date_of_birth",
        )
        .bind(json(rows.iter().map(|(name, born)| serde_json::json!([name.as_str(), born.to_string()]))))
        .execute(self)
        .await
        .map(drop)
    }

    async fn save_if(&mut self, name: &Username, born: DateOfBirth, condition: Condition) -> sqlx::Result<bool> {
        let sql = match condition {
            Condition::IfPresent => "update birthdays set date_of_birth = ?2 where username = ?1",
            _ => "insert into birthdays (username, date_of_birth) values (?1, ?2) on conflict (username) do nothing",
        };
        let done = sqlx::query(sql).bind(name.as_str()).bind(born.to_string()).execute(self).await?;
        Ok(done.rows_affected() > 0)
    }

    async fn delete(&mut self, name: &Username) -> sqlx::Result<bool> {
        let done = sqlx::query("delete from birthdays where username = ?1").bind(name.as_str()).execute(self).await?;
        Ok(done.rows_affected() > 0)
    }

    async fn close(self) -> sqlx::Result<()> {
        sqlx::Connection::close(self).await
    }
}
