//! Birthdays in PostgreSQL.

use std::time::Duration;

use rocket::futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Either, Executor, FromRow, raw_sql};

use super::credentials::Login;
use super::database::{Outcome, Read, Statement, Value};

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

const FIND: &str = "select username, date_of_birth from birthdays where username = any($1)";
const SAVE: &str = "insert into birthdays (username, date_of_birth) select * from unnest($1::text[], $2::date[]) \
    on conflict (username) do update set date_of_birth = excluded.date_of_birth \
    where birthdays.date_of_birth <> excluded.date_of_birth";

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
        let (sql, values) = statement.sql(FIND, SAVE);
        let mut results = if self.pooler {
            self.inner.fetch_many(raw_sql(AssertSqlSafe(with_literals(sql, values))))
        } else {
            self.inner.fetch_many(values.into_iter().fold(sqlx::query(sql), |query, value| match value {
                Value::Name(name) => query.bind(name),
                Value::Date(date) => query.bind(date),
                Value::Names(names) => query.bind(names),
                Value::Rows(rows) => {
                    query.bind(rows.keys().copied().collect::<Vec<_>>()).bind(rows.into_values().collect::<Vec<_>>())
                }
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
fn with_literals(sql: &str, values: Vec<Value<'_>>) -> String {
    let array = |items: Vec<String>| format!("{{{}}}", items.join(","));
    let texts = values.into_iter().flat_map(|value| match value {
        Value::Name(name) => vec![name.to_owned()],
        Value::Date(date) => vec![date.to_string()],
        Value::Names(names) => vec![array(names.into_iter().map(str::to_owned).collect())],
        Value::Rows(rows) => {
            let (names, dates) = rows.into_iter().map(|(name, date)| (name.to_owned(), date.to_string())).unzip();
            vec![array(names), array(dates)]
        }
    });
    (1..).zip(texts).fold(sql.to_owned(), |sql, (n, text)| sql.replace(&format!("${n}"), &format!("'{text}'")))
}
