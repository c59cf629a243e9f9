//! Birthdays in PostgreSQL.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use rocket::futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Either, Executor, FromRow, raw_sql};

use super::Condition;
use super::credentials::Login;
use super::database::{Outcome, Read, Statement};
use crate::birthday::Username;

pub struct Database {
    options: PgConnectOptions,
    /// The URL leads to a pooler in transaction mode: each statement may run in a different session of the server.
    pooler: bool,
    /// Whether a standby is acceptable.
    standby: bool,
}

pub struct Connection {
    pub inner: PgConnection,
    pooler: bool,
    standby: bool,
}

impl Database {
    /// The server also cancels a statement after `statement_timeout`. Poolers accept no startup options: there the role's own
    /// `statement_timeout` applies.
    pub fn new(options: &PgConnectOptions, limit: Duration, pooler: bool, standby: bool) -> Self {
        let mut options = options.clone().disable_statement_logging();
        if options.get_application_name().is_none() {
            options = options.application_name("birthday-api");
        }
        options = match pooler {
            true => options.extra_float_digits(None),
            false => options.options([("statement_timeout", limit.as_millis())]),
        };
        Self { options, pooler, standby }
    }

    pub async fn connect(&self, login: Option<&Login>) -> sqlx::Result<Connection> {
        let mut options = self.options.clone();
        if let Some(login) = login {
            options = options.username(&login.username).password(&login.password);
        }
        let mut connection = Connection { inner: options.connect().await?, pooler: self.pooler, standby: self.standby };
        connection.verify().await?;
        Ok(connection)
    }
}

const FIND_ONE: &str = "select username, date_of_birth from birthdays where username = $1";
const FIND: &str = "select username, date_of_birth from birthdays where username = any($1)";
/// An unchanged date is not written again. One statement is one transaction (PostgreSQL manual, "Transactions").
const SAVE_ONE: &str = "insert into birthdays (username, date_of_birth) values ($1, $2) on conflict (username) do update \
    set date_of_birth = excluded.date_of_birth where birthdays.date_of_birth <> excluded.date_of_birth";
const SAVE: &str = "insert into birthdays (username, date_of_birth) select * from unnest($1::text[], $2::date[]) \
    on conflict (username) do update set date_of_birth = excluded.date_of_birth \
    where birthdays.date_of_birth <> excluded.date_of_birth";
const CREATE: &str = "insert into birthdays (username, date_of_birth) values ($1, $2) on conflict (username) do nothing";
const REPLACE: &str = "update birthdays set date_of_birth = $2 where username = $1";
const DELETE: &str = "delete from birthdays where username = $1";

/// A parameter of a statement.
enum Value<'a> {
    Name(&'a str),
    Date(NaiveDate),
    Names(Vec<&'a str>),
    Dates(Vec<NaiveDate>),
}

fn sql<'a>(statement: Statement<'a>) -> (&'static str, Vec<Value<'a>>) {
    match statement {
        Statement::Find([name]) => (FIND_ONE, vec![Value::Name(name.as_str())]),
        Statement::Find(names) => (FIND, vec![Value::Names(names.iter().map(Username::as_str).collect())]),
        Statement::Save([(name, born)]) => (SAVE_ONE, vec![Value::Name(name.as_str()), Value::Date(born.date())]),
        Statement::Save(rows) => {
            // One row per name; the order prevents deadlocks between two writers.
            let rows: BTreeMap<_, _> = rows.iter().map(|(name, born)| (name.as_str(), born.date())).collect();
            (SAVE, vec![Value::Names(rows.keys().copied().collect()), Value::Dates(rows.into_values().collect())])
        }
        Statement::SaveIf((name, born), condition) => {
            let sql = if condition == Condition::IfPresent { REPLACE } else { CREATE };
            (sql, vec![Value::Name(name.as_str()), Value::Date(born.date())])
        }
        Statement::Delete(name) => (DELETE, vec![Value::Name(name.as_str())]),
    }
}

impl Connection {
    /// After a failover the old primary may answer as a standby: staying connected to it would only prolong the outage.
    pub async fn verify(&mut self) -> sqlx::Result<()> {
        let row = raw_sql("select pg_is_in_recovery()").fetch_one(&mut self.inner).await?;
        if sqlx::Row::get::<bool, _>(&row, 0) && !self.standby {
            return Err(sqlx::Error::Protocol("the server is a standby and not the primary".to_owned()));
        }
        Ok(())
    }

    pub async fn run(&mut self, statement: Statement<'_>) -> sqlx::Result<Outcome> {
        let (sql, values) = sql(statement);
        let mut results = if self.pooler {
            self.inner.fetch_many(raw_sql(AssertSqlSafe(with_literals(sql, &values))))
        } else {
            self.inner.fetch_many(values.into_iter().fold(sqlx::query(sql), |query, value| match value {
                Value::Name(name) => query.bind(name),
                Value::Date(date) => query.bind(date),
                Value::Names(names) => query.bind(names),
                Value::Dates(dates) => query.bind(dates),
            }))
        };
        let mut outcome = Outcome::default();
        while let Some(result) = results.try_next().await? {
            match result {
                Either::Left(done) => outcome.written += done.rows_affected(),
                Either::Right(row) => outcome.rows.push(Read::from_row(&row)?),
            }
        }
        Ok(outcome)
    }
}

/// For one message of the simple protocol, which a pooler sends to one session as a whole. The values are only letters and dates.
fn with_literals(sql: &str, values: &[Value<'_>]) -> String {
    (1..).zip(values).fold(sql.to_owned(), |sql, (n, value)| {
        let text = match value {
            Value::Name(name) => (*name).to_owned(),
            Value::Date(date) => date.to_string(),
            Value::Names(names) => format!("{{{}}}", names.join(",")),
            Value::Dates(dates) => format!("{{{}}}", dates.iter().map(NaiveDate::to_string).collect::<Vec<_>>().join(",")),
        };
        sql.replace(&format!("${n}"), &format!("'{text}'"))
    })
}
