//! A fresh database for each test, in either store.

use birthday_api::config::Settings;
use birthday_api::store;
use sqlx::{Connection, PgConnection, SqliteConnection, raw_sql};
use tempfile::TempDir;

use super::{block_on, figment, postgresql, random};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    Sqlite,
    PostgreSql,
}

/// Gone with all it holds when it is dropped.
pub enum Database {
    Sqlite { directory: TempDir },
    PostgreSql { server: reqwest::Url, name: String },
}

impl Database {
    pub fn new(store: Store) -> Self {
        match store {
            Store::Sqlite => Self::Sqlite { directory: TempDir::new().unwrap() },
            Store::PostgreSql => Self::on(postgresql::shared()),
        }
    }

    /// A new database on `server`, whose URL is that of somebody who may create it.
    pub fn on(server: reqwest::Url) -> Self {
        let name = format!("birthday_test_{}", random());
        run_on_postgresql(server.as_str(), &format!("create database {name}"));
        Self::PostgreSql { server, name }
    }

    /// With its schema already there.
    pub fn migrated(self) -> Self {
        let (_, settings) = Settings::load(&figment(&self.url())).unwrap();
        block_on(store::migrate(&settings.databases.birthdays)).unwrap();
        self
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite { directory } => format!("sqlite://{}", directory.path().join("birthdays.db").display()),
            Self::PostgreSql { server, name } => {
                let mut url = server.clone();
                url.set_path(name);
                url.into()
            }
        }
    }

    /// The same database for another user.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        let mut url: reqwest::Url = self.url().parse().unwrap();
        url.set_username(user).unwrap();
        url.set_password(Some(password)).unwrap();
        url.into()
    }

    /// Runs statements as the database's owner.
    pub fn run(&self, sql: &str) {
        match self {
            Self::Sqlite { .. } => block_on(async {
                let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
                raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }),
            Self::PostgreSql { .. } => run_on_postgresql(&self.url(), sql),
        }
    }

    /// Holds up whoever touches the table of birthdays, until it is dropped. PostgreSQL only.
    pub async fn lock(&self) -> PgConnection {
        let mut connection = PgConnection::connect(&self.url()).await.unwrap();
        raw_sql("begin; lock table birthdays in access exclusive mode").execute(&mut connection).await.unwrap();
        connection
    }

    /// The one number that `sql` selects.
    pub fn number(&self, sql: &str) -> i64 {
        block_on(self.select(sql))
    }

    /// The same beside other futures, which it does not hold up.
    pub async fn select(&self, sql: &str) -> i64 {
        let query = sqlx::AssertSqlSafe(sql);
        match self {
            Self::Sqlite { .. } => {
                let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
                sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
            }
            Self::PostgreSql { .. } => {
                let mut connection = PgConnection::connect(&self.url()).await.unwrap();
                sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
            }
        }
    }
}

pub fn run_on_postgresql(url: &str, sql: &str) {
    block_on(try_on_postgresql(url, sql)).unwrap();
}

async fn try_on_postgresql(url: &str, sql: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::PostgreSql { server, name } = self {
            let dropped = block_on(try_on_postgresql(server.as_str(), &format!("drop database {name} with (force)")));
            // A second panic would hide the first.
            assert!(dropped.is_ok() || std::thread::panicking(), "{dropped:?}");
        }
    }
}
