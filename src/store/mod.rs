//! The store of birthdays: PostgreSQL or SQLite behind two operations, find and write.
//!
//! A request waits in a [`queue`]; a [`worker`] takes all waiting requests and sends them as one statement over its [`session`]
//! with the [`server`], which connects, retries and opens the circuit as [`error`] defines. [`database`] holds the statements,
//! [`postgres`] and [`sqlite`] the SQL in which they differ. The replica answers lookups while the primary cannot.

mod copy;
mod credentials;
mod database;
mod error;
mod metrics;
mod migrate;
mod postgres;
mod queue;
mod server;
mod session;
mod settings;
mod sqlite;
mod worker;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use figment::Figment;
use rocket_db_pools::Pool;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

pub use self::copy::{CopyError, copy};
pub use self::database::Write;
pub use self::metrics::Metrics;
pub use self::migrate::{apply_migrations, migrate_at_start, migrate_within};
pub use self::settings::{DatabaseUrl, Settings, seconds};

use self::queue::Queue;
use self::server::Server;
use self::session::Session;
use self::worker::{Answer, Request, Requests, Worker};
use crate::birthday::{DateOfBirth, Username};

/// The database `birthdays` of the settings, as Rocket manages it.
#[derive(rocket_db_pools::Database)]
#[database("birthdays")]
pub struct Birthdays(Store);

/// Why there is no answer. The log has the details; the caller of the service gets only this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, overloaded or too slow: worth trying again.
    #[error("the database did not answer in time")]
    Unavailable,
    /// The database refused this row, although it passed the domain's rules.
    #[error("the database refused the row")]
    Refused,
    #[error("the birthdays table is missing or has the wrong columns; run birthday-api migrate")]
    NotMigrated,
}

/// A date of birth, and which database it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub date_of_birth: DateOfBirth,
    /// True if the replica answered instead of the primary: the date may be slightly out of date.
    pub from_replica: bool,
}

/// What must hold for a save to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    None,
    /// The name has no birthday yet.
    IfAbsent,
    /// The name has a birthday.
    IfPresent,
}

pub struct Store {
    lookups: Arc<Requests<Username>>,
    writes: Arc<Requests<Write>>,
    workers: tokio::sync::Mutex<JoinSet<()>>,
    pub metrics: Metrics,
}

impl Store {
    pub async fn find(&self, name: Username, deadline: Instant) -> Answer<Option<Found>> {
        ask(&self.lookups, name, deadline).await
    }

    /// False if the condition did not hold or the name had no birthday. The commit is durable when this returns true.
    pub async fn write(&self, write: Write, deadline: Instant) -> Answer<bool> {
        ask(&self.writes, write, deadline).await
    }

    /// Answers the waiting requests, then closes the connections, within `limit`.
    pub async fn finish(&self, limit: Duration) {
        self.lookups.close();
        self.writes.close();
        let mut workers = self.workers.lock().await;
        if timeout(limit, async { while workers.join_next().await.is_some() {} }).await.is_err() {
            tracing::warn!("database connections were cut: they did not close within {} ms", limit.as_millis());
            workers.shutdown().await;
        }
    }

    /// Starts the workers. They connect in the background: an unreachable database does not prevent the start.
    fn start(settings: &Settings) -> io::Result<Self> {
        let metrics = Metrics::default();
        let server = |url, role| Server::start(url, role, settings, &metrics);
        let primary = server(&settings.url, "primary")?;
        let replica = settings.replica_url.as_ref().map(|url| server(url, "replica")).transpose()?;
        let worker = |replica: Option<&Arc<Server>>| Worker {
            primary: Session::new(primary.clone()),
            replica: replica.cloned().map(Session::new),
        };
        let for_lookups = match settings.url {
            // SQLite has one writer at a time.
            DatabaseUrl::Sqlite(_) => settings.max_connections - 1,
            DatabaseUrl::Postgres(_) => settings.max_connections.div_ceil(2),
        };
        let (lookups, writes) = (Arc::new(Queue::new(metrics.rejected.clone())), Arc::new(Queue::new(metrics.rejected.clone())));
        let mut workers = JoinSet::new();
        for _ in 0..for_lookups {
            workers.spawn(worker(replica.as_ref()).run::<Username>(lookups.clone(), metrics.lookups.clone()));
        }
        for _ in for_lookups..settings.max_connections {
            workers.spawn(worker(None).run::<Write>(writes.clone(), metrics.writes.clone()));
        }
        Ok(Self { lookups, writes, workers: workers.into(), metrics })
    }
}

async fn ask<R: Request>(requests: &Requests<R>, request: R, deadline: Instant) -> Answer<R::Reply> {
    let answer = timeout_at(deadline, requests.ask(request)).await;
    answer.ok().flatten().unwrap_or(Err(StoreError::Unavailable))
}

#[rocket::async_trait]
impl Pool for Store {
    type Connection = ();
    type Error = figment::Error;

    async fn init(figment: &Figment) -> Result<Self, figment::Error> {
        Ok(Self::start(&figment.extract()?).map_err(|error| error.to_string())?)
    }

    /// Returns nothing: the workers hold the connections.
    async fn get(&self) -> Result<(), figment::Error> {
        Ok(())
    }

    /// Does nothing: Rocket calls this as soon as a shutdown begins, with requests still in flight. [`Store::finish`] closes.
    async fn close(&self) {}
}
