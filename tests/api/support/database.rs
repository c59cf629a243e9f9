//! A fresh database for each test, in either store.

use birthday_api::config::Settings;
use birthday_api::store;
use sqlx::{Connection, PgConnection, SqliteConnection, raw_sql};
use tempfile::TempDir;

use super::{block_on, directory, figment, postgresql, random};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    Sqlite,
    PostgreSql,
}

/// Deleted with its contents when it is dropped.
pub enum Database {
    Sqlite { directory: TempDir },
    PostgreSql { server: reqwest::Url, name: String },
}

impl Database {
    pub fn new(store: Store) -> Self {
        match store {
            Store::Sqlite => Self::Sqlite { directory: directory() },
            Store::PostgreSql => Self::on(postgresql::shared()),
        }
    }

    /// A new database on `server`, whose URL names a user who may create databases.
    pub fn on(server: reqwest::Url) -> Self {
        let name = format!("birthday_test_{}", random());
        run(server.as_str(), &format!("create database {name}"));
        Self::PostgreSql { server, name }
    }

    /// Brings its schema up to date.
    pub fn migrated(self) -> Self {
        let (_, settings) = Settings::load(&figment(&self.url())).unwrap();
        let settings = settings.databases.birthdays;
        block_on(store::migrate_within(&settings, settings.connect_timeout)).unwrap();
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

    /// The URL of the same database for another user.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        let mut url: reqwest::Url = self.url().parse().unwrap();
        url.set_username(user).unwrap();
        url.set_password(Some(password)).unwrap();
        url.into()
    }

    /// A connection as its owner.
    pub async fn connect(&self) -> Session {
        Session::open(&self.url()).await
    }

    pub fn run(&self, sql: &str) {
        run(&self.url(), sql);
    }

    /// Makes it refuse this name, by a rule that the service does not know, with an error that quotes the name.
    pub fn refuse(&self, name: &str) {
        self.run(&match self {
            Self::PostgreSql { .. } => format!("alter table birthdays add check (username <> '{name}')"),
            Self::Sqlite { .. } => {
                let when = format!("before insert on birthdays when new.username = '{name}'");
                format!("create trigger refuse {when} begin select raise(abort, '{name}'); end")
            }
        });
    }

    /// Blocks all access to the birthdays table until the session is dropped. PostgreSQL only.
    pub async fn lock(&self) -> Session {
        let mut session = self.connect().await;
        session.run("begin; lock table birthdays in access exclusive mode").await;
        session
    }

    /// The one number that `sql` selects.
    pub fn number(&self, sql: &str) -> i64 {
        number(&self.url(), sql)
    }

    /// The same, without blocking other futures.
    pub async fn select(&self, sql: &str) -> i64 {
        self.connect().await.select(sql).await
    }
}

pub enum Session {
    Sqlite(SqliteConnection),
    PostgreSql(PgConnection),
}

impl Session {
    async fn open(url: &str) -> Self {
        match url.starts_with("sqlite") {
            true => Self::Sqlite(SqliteConnection::connect(url).await.unwrap()),
            false => Self::PostgreSql(PgConnection::connect(url).await.unwrap()),
        }
    }

    pub async fn run(&mut self, sql: &str) {
        let statements = raw_sql(sqlx::AssertSqlSafe(sql));
        match self {
            Self::Sqlite(session) => drop(statements.execute(session).await.unwrap()),
            Self::PostgreSql(session) => drop(statements.execute(session).await.unwrap()),
        }
    }

    async fn select(&mut self, sql: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(sql);
        match self {
            Self::Sqlite(session) => sqlx::query_scalar(sql).fetch_one(session).await.unwrap(),
            Self::PostgreSql(session) => sqlx::query_scalar(sql).fetch_one(session).await.unwrap(),
        }
    }
}

pub fn run(url: &str, sql: &str) {
    block_on(async { Session::open(url).await.run(sql).await });
}

/// The one number that `sql` selects in the database of `url`.
pub fn number(url: &str, sql: &str) -> i64 {
    block_on(async { Session::open(url).await.select(sql).await })
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::PostgreSql { server, name } = self {
            let drop = raw_sql(sqlx::AssertSqlSafe(format!("drop database {name} with (force)")));
            let dropped = block_on(async { drop.execute(&mut PgConnection::connect(server.as_str()).await?).await });
            // A second panic would hide the first.
            assert!(dropped.is_ok() || std::thread::panicking(), "{dropped:?}");
        }
    }
}
