//! Birthdays in PostgreSQL.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::Condition;
use super::credentials::Login;
use super::session::{Connection, Server};
use crate::birthday::{DateOfBirth, Username};

pub struct Postgres {
    options: PgConnectOptions,
    /// Whether a standby will do.
    standby: bool,
}

impl Postgres {
    /// The server also ends a statement after `query_timeout`, so that nobody works on an answer that is not awaited any more.
    pub fn new(options: PgConnectOptions, query_timeout: Duration, standby: bool) -> Self {
        let options = options
            .application_name("birthday-api")
            .options([("statement_timeout", query_timeout.as_millis())])
            .disable_statement_logging();
        Self { options, standby }
    }
}

/// The options with the login put in, where there is one.
pub fn with_login(options: &PgConnectOptions, login: Option<&Login>) -> PgConnectOptions {
    match login {
        Some(login) => options.clone().username(&login.username).password(&login.password),
        None => options.clone(),
    }
}

impl Server for Postgres {
    type Connection = PgConnection;

    /// After a failover the old primary may answer as a standby: to connect to it again would only prolong the outage.
    async fn connect(&self, login: Option<&Login>) -> sqlx::Result<PgConnection> {
        let mut connection = with_login(&self.options, login).connect().await?;
        let standby: bool = sqlx::query_scalar("select pg_is_in_recovery()").fetch_one(&mut connection).await?;
        if standby && !self.standby {
            return Err(sqlx::Error::Protocol("the server is a standby and not the primary".to_owned()));
        }
        Ok(connection)
    }
}

impl Connection for PgConnection {
    async fn find(&mut self, names: &[Username]) -> sqlx::Result<Vec<(String, NaiveDate)>> {
        if let [name] = names {
            sqlx::query_as("select username, date_of_birth from birthdays where username = $1")
                .bind(name.as_str())
                .fetch_all(self)
                .await
        } else {
            let names: Vec<&str> = names.iter().map(Username::as_str).collect();
            sqlx::query_as("select username, date_of_birth from birthdays where username = any($1)")
                .bind(names)
                .fetch_all(self)
                .await
        }
    }

    /// An equal date is not written again. One statement is one transaction (PostgreSQL manual, "Transactions").
    async fn save(&mut self, rows: &BTreeMap<&Username, DateOfBirth>) -> sqlx::Result<()> {
        let query = if rows.len() == 1 {
            let (name, born) = rows.iter().next().expect("one row");
            sqlx::query(
                "insert into birthdays (username, date_of_birth) values ($1, $2) on conflict (username) do update \
                 set date_of_birth = excluded.date_of_birth where birthdays.date_of_birth <> excluded.date_of_birth",
            )
            .bind(name.as_str())
            .bind(born.date())
        } else {
            let names: Vec<&str> = rows.keys().map(|name| name.as_str()).collect();
            let dates: Vec<NaiveDate> = rows.values().map(|born| born.date()).collect();
            sqlx::query(
                "insert into birthdays (username, date_of_birth) select * from unnest($1::text[], $2::date[]) \
                 on conflict (username) do update set date_of_birth = excluded.date_of_birth \
                 where birthdays.date_of_birth <> excluded.date_of_birth",
            )
            .bind(names)
            .bind(dates)
        };
        query.execute(self).await.map(drop)
    }

    async fn save_if(&mut self, name: &Username, born: DateOfBirth, condition: Condition) -> sqlx::Result<bool> {
        let sql = match condition {
            Condition::IfPresent => "update birthdays set date_of_birth = $2 where username = $1",
            _ => "insert into birthdays (username, date_of_birth) values ($1, $2) on conflict (username) do nothing",
        };
        let done = sqlx::query(sql).bind(name.as_str()).bind(born.date()).execute(self).await?;
        Ok(done.rows_affected() > 0)
    }

    async fn delete(&mut self, name: &Username) -> sqlx::Result<bool> {
        let done = sqlx::query("delete from birthdays where username = $1").bind(name.as_str()).execute(self).await?;
        Ok(done.rows_affected() > 0)
    }

    async fn close(self) -> sqlx::Result<()> {
        sqlx::Connection::close(self).await
    }
}
