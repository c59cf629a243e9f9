//! Where birthdays are kept: PostgreSQL or SQLite behind three operations, find, save and delete.
//!
//! A request waits in a queue ([`batch`]); [`lanes`] take what waits and send it as one statement over their own connection
//! ([`session`]); [`postgres`] and [`sqlite`] hold the SQL. Lookups go on at the replica while the primary cannot answer.

mod batch;
mod credentials;
mod lanes;
mod metrics;
mod migrate;
mod outage;
mod postgres;
mod session;
mod settings;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use rocket::figment::Figment;
use rocket_db_pools::{Database, Pool};
use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

pub use self::metrics::Metrics;
pub use self::migrate::{MigrationError, migrate, migrate_within};
pub use self::settings::{DatabaseUrl, Settings};

use self::batch::{Queue, Unanswered};
use self::credentials::Credentials;
use self::lanes::Lanes;
use self::postgres::Postgres;
use self::session::Endpoint;
use self::sqlite::Sqlite;
use crate::birthday::{DateOfBirth, Username};

/// The database `birthdays` of the settings, as Rocket manages it.
#[derive(Database)]
#[database("birthdays")]
pub struct Birthdays(Store);

/// Why there is no answer. The log says more; the caller of the service is told no more than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, overloaded or too slow: worth trying again.
    #[error("the database did not answer in time")]
    Unavailable,
    /// The database refuses this very row, which the domain's rules had let through.
    #[error("the database refused the row")]
    Refused,
}

/// A date of birth, and who knew it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub date_of_birth: DateOfBirth,
    /// True if the replica answered in the primary's place: the date may be some moments old.
    pub from_replica: bool,
}

type Answer<T> = Result<T, StoreError>;

/// What must hold for a save to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    #[default]
    None,
    /// The name has no birthday yet.
    IfAbsent,
    /// The name has a birthday.
    IfPresent,
}

enum Write {
    Save(Username, DateOfBirth, Condition),
    Delete(Username),
}

pub struct Store {
    lookups: Arc<Queue<Username, Answer<Option<Found>>>>,
    /// The answer says whether the write took place.
    writes: Arc<Queue<Write, Answer<bool>>>,
    lanes: tokio::sync::Mutex<JoinSet<()>>,
    pub settings: Settings,
    pub metrics: Metrics,
}

impl Store {
    pub async fn find(&self, name: Username, deadline: Instant) -> Answer<Option<Found>> {
        self.ask(&self.lookups, name, deadline).await
    }

    /// Creates or replaces under `condition`; false if it did not hold. The commit is durable when this returns true.
    pub async fn save(&self, name: Username, born: DateOfBirth, condition: Condition, deadline: Instant) -> Answer<bool> {
        self.ask(&self.writes, Write::Save(name, born, condition), deadline).await
    }

    /// False if the name had no birthday.
    pub async fn delete(&self, name: Username, deadline: Instant) -> Answer<bool> {
        self.ask(&self.writes, Write::Delete(name), deadline).await
    }

    async fn ask<Q, A>(&self, queue: &Queue<Q, Answer<A>>, request: Q, deadline: Instant) -> Answer<A> {
        match timeout_at(deadline, queue.ask(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Unanswered::Full)) => {
                self.metrics.turned_away.inc();
                Err(StoreError::Unavailable)
            }
            Ok(Err(Unanswered::Gone)) | Err(_) => Err(StoreError::Unavailable),
        }
    }

    /// Answers what waits, then closes the connections, within `limit`.
    pub async fn finish(&self, limit: Duration) {
        self.lookups.close();
        self.writes.close();
        let mut lanes = self.lanes.lock().await;
        if timeout(limit, async { while lanes.join_next().await.is_some() {} }).await.is_err() {
            tracing::warn!("database connections were cut: they did not close within {} ms", limit.as_millis());
            lanes.shutdown().await;
        }
    }

    /// Starts the lanes. They connect by themselves: a database that is away does not stop the start.
    fn start(settings: Settings, credentials: Credentials) -> Self {
        let (lookup_lanes, write_lanes) = match settings.url {
            // SQLite has one writer at a time.
            DatabaseUrl::Sqlite(_) => (settings.max_connections - 1, 1),
            DatabaseUrl::Postgres(_) => (settings.max_connections.div_ceil(2), settings.max_connections / 2),
        };
        let (lookups, writes) = (Queue::new(lookup_lanes), Queue::new(write_lanes));
        let metrics = Metrics::default();
        let limits = (settings.connect_timeout, settings.query_timeout);
        let mut lanes = Lanes::new(lookups.clone(), writes.clone(), settings.deadline(), metrics.clone());
        match &settings.url {
            DatabaseUrl::Sqlite(options) => {
                let server = Sqlite::new(options.clone(), settings.query_timeout);
                lanes.start(Endpoint::new(server, "primary", credentials, limits, metrics.clone()), None);
            }
            DatabaseUrl::Postgres(options) => {
                let endpoint = |options: &PgConnectOptions, role, standby| {
                    let server = Postgres::new(options.clone(), settings.query_timeout, standby);
                    Endpoint::new(server, role, credentials.clone(), limits, metrics.clone())
                };
                let replica = match &settings.replica_url {
                    Some(DatabaseUrl::Postgres(options)) => Some(endpoint(options, "replica", true)),
                    _ => None,
                };
                lanes.start(endpoint(options, "primary", false), replica);
            }
        }
        Self { lookups, writes, lanes: lanes.running.into(), settings, metrics }
    }
}

#[rocket::async_trait]
impl Pool for Store {
    type Connection = ();
    type Error = Error;

    async fn init(figment: &Figment) -> Result<Self, Error> {
        let settings: Settings = figment.extract()?;
        if settings.migrate() {
            match migrate(&settings).await {
                Err(MigrationError::NotYet(reason)) => {
                    tracing::warn!("the schema may be out of date, trying again until it is not: {reason}");
                    tokio::spawn(migrate_until_done(settings.clone()));
                }
                outcome => outcome?,
            }
        }
        let credentials = Credentials::read(settings.credentials.as_deref())?;
        Ok(Self::start(settings, credentials))
    }

    /// Lanes hold the connections; nobody borrows one.
    async fn get(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Rocket calls this as soon as a shutdown is asked for, while requests are still being answered. [`Store::finish`] does it.
    async fn close(&self) {}
}

async fn migrate_until_done(settings: Settings) {
    match migrate_within(&settings, Duration::MAX).await {
        Ok(()) => tracing::info!("the schema is up to date"),
        Err(error) => tracing::error!("{error}"),
    }
}

/// Why the store cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Settings(#[from] rocket::figment::Error),
    #[error(transparent)]
    Credentials(#[from] std::io::Error),
    #[error(transparent)]
    Migration(#[from] MigrationError),
}
