//! Birthdays in PostgreSQL.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, raw_sql};

use super::Condition;
use super::credentials::Login;
use super::database::{Outcome, Statement};
use crate::birthday::{DateOfBirth, Username};

pub struct Database {
    options: PgConnectOptions,
    /// The URL leads to a pooler in transaction mode: each statement may meet another session of the server.
    pooler: bool,
    /// Whether a standby will do.
    standby: bool,
}

pub struct Connection {
    pub inner: PgConnection,
    pooler: bool,
    standby: bool,
}

impl Database {
    /// The server also ends a statement after `statement_timeout`. Poolers take no startup options: there the role's own
    /// `statement_timeout` does it.
    pub fn new(options: &PgConnectOptions, statement_timeout: Option<Duration>, pooler: bool, standby: bool) -> Self {
        let mut options = options.clone().disable_statement_logging();
        if options.get_application_name().is_none() {
            options = options.application_name("birthday-api");
        }
        if pooler {
            options = options.extra_float_digits(None);
        } else if let Some(limit) = statement_timeout {
            options = options.options([("statement_timeout", limit.as_millis())]);
        }
        Self { options, pooler, standby }
    }

    pub async fn connect(&self, login: Option<&Login>) -> sqlx::Result<Connection> {
        let options = self.options.clone();
        let options = match login {
            Some(login) => options.username(&login.username).password(&login.password),
            None => options,
        };
        let mut connection = Connection { inner: options.connect().await?, pooler: self.pooler, standby: self.standby };
        connection.verify().await?;
        Ok(connection)
    }
}

const FIND_ONE: &str = "select username, date_of_birth from birthdays where username = $1";
const FIND: &str = "select username, date_of_birth from birthdays where username = any($1)";
const PAGE: &str = "select username, date_of_birth from birthdays where username > $1 order by username limit $2";
/// An equal date is not written again. One statement is one transaction (PostgreSQL manual, "Transactions").
const SAVE_ONE: &str = "insert into birthdays (username, date_of_birth) values ($1, $2) on conflict (username) do update \
    set date_of_birth = excluded.date_of_birth where birthdays.date_of_birth <> excluded.date_of_birth";
const SAVE: &str = "insert into birthdays (username, date_of_birth) select * from unnest($1::text[], $2::date[]) \
    on conflict (username) do update set date_of_birth = excluded.date_of_birth \
    where birthdays.date_of_birth <> excluded.date_of_birth";
const CREATE: &str = "insert into birthdays (username, date_of_birth) values ($1, $2) on conflict (username) do nothing";
const REPLACE: &str = "update birthdays set date_of_birth = $2 where username = $1";
const DELETE: &str = "delete from birthdays where username = $1";

impl Connection {
    /// After a failover the old primary may answer as a standby: to stay with it would only prolong the outage.
    pub async fn verify(&mut self) -> sqlx::Result<()> {
        let row = raw_sql("select pg_is_in_recovery()").fetch_one(&mut self.inner).await?;
        if sqlx::Row::get::<bool, _>(&row, 0) && !self.standby {
            return Err(sqlx::Error::Protocol("the server is a standby and not the primary".to_owned()));
        }
        Ok(())
    }

    pub async fn run(&mut self, statement: &Statement) -> sqlx::Result<Outcome> {
        if self.pooler {
            return self.run_unprepared(statement).await;
        }
        let query = match statement {
            Statement::Find(names) => {
                let query = match &names[..] {
                    [name] => sqlx::query_as(FIND_ONE).bind(name.as_str()),
                    names => sqlx::query_as(FIND).bind(names.iter().map(Username::as_str).collect::<Vec<_>>()),
                };
                return query.fetch_all(&mut self.inner).await.map(Outcome::found);
            }
            Statement::Page(after, limit) => {
                let query = sqlx::query_as(PAGE).bind(after.as_ref().map_or("", Username::as_str)).bind(*limit as i64);
                return query.fetch_all(&mut self.inner).await.map(Outcome::found);
            }
            Statement::Save(rows) => match &in_order(rows) {
                rows if rows.len() == 1 => {
                    let (name, born) = rows.iter().next().expect("one row");
                    sqlx::query(SAVE_ONE).bind(name.as_str()).bind(born.date())
                }
                rows => {
                    let names: Vec<&str> = rows.keys().map(|name| name.as_str()).collect();
                    let dates: Vec<NaiveDate> = rows.values().map(|born| born.date()).collect();
                    sqlx::query(SAVE).bind(names).bind(dates)
                }
            },
            Statement::SaveIf(name, born, condition) => {
                sqlx::query(conditional(*condition)).bind(name.as_str()).bind(born.date())
            }
            Statement::Delete(name) => sqlx::query(DELETE).bind(name.as_str()),
        };
        query.execute(&mut self.inner).await.map(|done| Outcome::written(done.rows_affected()))
    }

    /// As one message of the simple protocol, which a pooler sends to one session as a whole. Values are written into the SQL:
    /// they are letters, dates and numbers only.
    async fn run_unprepared(&mut self, statement: &Statement) -> sqlx::Result<Outcome> {
        let list = |values: Vec<String>| format!("'{{{}}}'", values.join(","));
        let text = |value: &dyn std::fmt::Display| format!("'{value}'");
        let (sql, parameters) = match statement {
            Statement::Find(names) => (FIND, vec![list(names.iter().map(ToString::to_string).collect())]),
            Statement::Page(after, limit) => (PAGE, vec![text(&after.as_ref().map_or("", Username::as_str)), limit.to_string()]),
            Statement::Save(rows) => {
                let rows = in_order(rows);
                let names = rows.keys().map(ToString::to_string).collect();
                (SAVE, vec![list(names), list(rows.values().map(ToString::to_string).collect())])
            }
            Statement::SaveIf(name, born, condition) => (conditional(*condition), vec![text(name), text(born)]),
            Statement::Delete(name) => (DELETE, vec![text(name)]),
        };
        let sql = (1..).zip(parameters).fold(sql.to_owned(), |sql, (n, value)| sql.replace(&format!("${n}"), &value));
        let query = raw_sql(AssertSqlSafe(sql));
        if let Statement::Find(_) | Statement::Page(..) = statement {
            let rows = query.fetch_all(&mut self.inner).await?;
            return rows.iter().map(sqlx::FromRow::from_row).collect::<sqlx::Result<_>>().map(Outcome::found);
        }
        query.execute(&mut self.inner).await.map(|done| Outcome::written(done.rows_affected()))
    }
}

/// The order keeps two writers from waiting for each other in a circle.
fn in_order(rows: &[(Username, DateOfBirth)]) -> BTreeMap<&Username, DateOfBirth> {
    rows.iter().map(|(name, born)| (name, *born)).collect()
}

fn conditional(condition: Condition) -> &'static str {
    match condition {
        Condition::None => SAVE_ONE,
        Condition::IfAbsent => CREATE,
        Condition::IfPresent => REPLACE,
    }
}
