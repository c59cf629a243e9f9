//! One lane's connection to one server: made when it is needed, tried once more on a fresh one when it breaks, given up when an
//! answer takes too long, and renewed when credentials or the primary change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Condition;
use super::credentials::{Credentials, Login};
use super::metrics::Metrics;
use super::outage::{Fault, Presence};
use crate::birthday::{DateOfBirth, Username};

/// How often a server that is away is tried.
const PROBE: Duration = Duration::from_secs(1);

/// Where connections come from.
pub trait Server: Send + Sync + 'static {
    type Connection: Connection;

    fn connect(&self, login: Option<&Login>) -> impl Future<Output = sqlx::Result<Self::Connection>> + Send;
}

/// What a connection can do.
pub trait Connection: Send {
    /// The dates of those `names` that are known, in any order.
    fn find(&mut self, names: &[Username]) -> impl Future<Output = sqlx::Result<Vec<(String, NaiveDate)>>> + Send;
    /// Creates or replaces, all in one commit; the map's order keeps two writers from waiting for each other in a circle.
    fn save(&mut self, rows: &BTreeMap<&Username, DateOfBirth>) -> impl Future<Output = sqlx::Result<()>> + Send;
    /// Creates only or replaces only; false if the condition did not hold.
    fn save_if(
        &mut self,
        name: &Username,
        born: DateOfBirth,
        condition: Condition,
    ) -> impl Future<Output = sqlx::Result<bool>> + Send;
    /// True if the name was known.
    fn delete(&mut self, name: &Username) -> impl Future<Output = sqlx::Result<bool>> + Send;
    fn close(self) -> impl Future<Output = sqlx::Result<()>> + Send;
}

/// A statement of the service, for any kind of connection. `again` says that it was sent before and its answer was lost.
pub trait Statement: Sync {
    type Answer: Send;

    /// Whether it may be sent again when its answer was lost.
    fn is_idempotent(&self) -> bool {
        true
    }

    fn run<C: Connection>(&self, on: &mut C, again: bool) -> impl Future<Output = sqlx::Result<Self::Answer>> + Send;
}

/// A server and what all sessions with it share.
pub struct Endpoint<S> {
    pub server: S,
    pub role: &'static str,
    pub credentials: Credentials,
    pub connect_timeout: Duration,
    pub query_timeout: Duration,
    pub metrics: Metrics,
    presence: Presence,
    renewal: watch::Sender<()>,
}

impl<S: Server> Endpoint<S> {
    pub fn new(
        server: S,
        role: &'static str,
        credentials: Credentials,
        (connect_timeout, query_timeout): (Duration, Duration),
        metrics: Metrics,
    ) -> Arc<Self> {
        metrics.expect(role);
        let (presence, renewal) = (Presence::default(), watch::Sender::new(()));
        Arc::new(Self { server, role, credentials, connect_timeout, query_timeout, metrics, presence, renewal })
    }

    /// Has every session replace its connection before the next statement.
    pub fn renew(&self) {
        self.renewal.send_replace(());
    }

    async fn connect(&self, limit: Duration) -> Result<S::Connection, Fault> {
        let login = self.credentials.login();
        match timeout(limit, self.server.connect(login.as_ref())).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => match Fault::from(error) {
                fault @ (Fault::Login(_) | Fault::Connection(_)) => Err(fault),
                fault => Err(Fault::Away(fault.to_string())),
            },
            Err(_) => Err(Fault::Away(format!("no connection within {} ms", limit.as_millis()))),
        }
    }

    /// From now on requests fail at once instead of waiting for a connection, until one could be made again.
    fn went_away(self: &Arc<Self>, fault: &Fault) {
        if self.presence.went_away() {
            tracing::warn!(server = self.role, "{fault}; trying again every second");
            self.metrics.away(self.role, true);
            tokio::spawn(self.clone().watch_for_return());
        }
    }

    async fn watch_for_return(self: Arc<Self>) {
        loop {
            sleep(PROBE).await;
            match self.connect(self.connect_timeout).await {
                Ok(connection) => {
                    self.presence.returned();
                    self.metrics.away(self.role, false);
                    tracing::info!(server = self.role, "database is back");
                    // Nothing depends on how the probe's connection ends.
                    let _ = timeout(PROBE, connection.close()).await;
                    return;
                }
                Err(Fault::Login(_)) => self.reload_credentials(),
                Err(_) => {}
            }
        }
    }

    fn reload_credentials(&self) {
        match self.credentials.reload() {
            Ok(true) => {
                self.metrics.credential_reloads.inc();
                self.renew();
            }
            Ok(false) => {}
            Err(error) => tracing::warn!("database credentials cannot be read: {error}"),
        }
    }
}

pub struct Session<S: Server> {
    endpoint: Arc<Endpoint<S>>,
    renewal: watch::Receiver<()>,
    connection: Option<S::Connection>,
}

impl<S: Server> Session<S> {
    pub fn new(endpoint: Arc<Endpoint<S>>) -> Self {
        let renewal = endpoint.renewal.subscribe();
        Self { endpoint, renewal, connection: None }
    }

    /// Runs `statement` before `until`; once more on a fresh connection if this one broke.
    pub async fn run<T: Statement>(&mut self, statement: &T, until: Instant) -> Result<T::Answer, Fault> {
        let mut outcome = self.attempt(statement, until, false).await;
        if let Err(fault @ Fault::Connection(_)) = &outcome
            && statement.is_idempotent()
        {
            tracing::debug!(server = self.endpoint.role, "{fault}; trying once more");
            self.endpoint.metrics.retries.inc();
            // What ended this connection most likely ended the others too.
            self.endpoint.renew();
            outcome = self.attempt(statement, until, true).await;
        }
        if let Err(fault) = &outcome {
            self.endpoint.metrics.failed(self.endpoint.role, fault);
            match fault {
                Fault::Login(_) => self.endpoint.went_away(fault),
                Fault::Away(_) => {}
                fault => tracing::warn!(server = self.endpoint.role, "{fault}"),
            }
        }
        outcome
    }

    async fn attempt<T: Statement>(&mut self, statement: &T, until: Instant, again: bool) -> Result<T::Answer, Fault> {
        if self.renewal.has_changed().unwrap_or(false) {
            self.close().await;
        }
        // Held here and not in `self` while it is in use: whatever ends this future early ends the connection with it.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect(until).await?,
        };
        let limit = self.endpoint.query_timeout;
        let fault = match timeout_at(until.min(Instant::now() + limit), statement.run(&mut connection, again)).await {
            Ok(Ok(answer)) => {
                self.connection = Some(connection);
                return Ok(answer);
            }
            Ok(Err(error)) => Fault::from(error),
            Err(_) => Fault::Slow(limit),
        };
        match fault {
            Fault::Row(_) | Fault::Busy(_) | Fault::Other(_) => self.connection = Some(connection),
            _ => self.endpoint.metrics.disconnected(self.endpoint.role),
        }
        Err(fault)
    }

    async fn connect(&mut self, until: Instant) -> Result<S::Connection, Fault> {
        if self.endpoint.presence.is_away() {
            return Err(Fault::Away("it was away a moment ago".to_owned()));
        }
        let mut connected = self.try_to_connect(until).await;
        if let Err(fault @ (Fault::Login(_) | Fault::Connection(_))) = &connected {
            // The password may have been changed a moment ago, sooner than the change was noticed; or the new session was ended
            // together with the old ones. Neither means that the server is away.
            tracing::debug!(server = self.endpoint.role, "{fault}; trying once more");
            self.endpoint.metrics.retries.inc();
            if let Fault::Login(_) = fault {
                self.endpoint.reload_credentials();
            }
            connected = self.try_to_connect(until).await;
        }
        let away = |fault| if let Fault::Connection(_) = fault { Fault::Away(fault.to_string()) } else { fault };
        let connection = connected.map_err(away).inspect_err(|fault| {
            if matches!(fault, Fault::Away(_)) {
                self.endpoint.went_away(fault);
            }
        })?;
        self.endpoint.metrics.connected(self.endpoint.role);
        Ok(connection)
    }

    async fn try_to_connect(&mut self, until: Instant) -> Result<S::Connection, Fault> {
        self.renewal.mark_unchanged();
        let limit = self.endpoint.connect_timeout.min(until.saturating_duration_since(Instant::now()));
        self.endpoint.connect(limit).await
    }

    /// Connects ahead of the first request, or again after a change. A failure is noted as on any other occasion.
    pub async fn open(&mut self) {
        self.close().await;
        let until = Instant::now() + self.endpoint.connect_timeout;
        match self.connect(until).await {
            Ok(connection) => self.connection = Some(connection),
            Err(fault) => {
                self.endpoint.metrics.failed(self.endpoint.role, &fault);
                if let Fault::Login(_) = fault {
                    self.endpoint.went_away(&fault);
                }
            }
        }
    }

    /// Resolves when the connection should be replaced.
    pub async fn stale(&mut self) {
        if self.renewal.changed().await.is_err() {
            // The endpoint is shared by this session, so its sender outlives the wait.
            std::future::pending::<()>().await;
        }
    }

    pub async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.endpoint.metrics.disconnected(self.endpoint.role);
            // A farewell: a server that does not take it notices the closed socket.
            let _ = timeout(PROBE, connection.close()).await;
        }
    }
}

/// Looks names up.
pub struct Find(pub Vec<Username>);
/// Saves in the order of arrival: of several dates for one name the last is kept.
pub struct Save(pub Vec<(Username, DateOfBirth)>);
/// Saves under a condition; false if it did not hold.
pub struct SaveIf(pub Username, pub DateOfBirth, pub Condition);
/// Deletes a name; true if it was known.
pub struct Delete(pub Username);

impl Statement for Find {
    type Answer = Vec<(String, NaiveDate)>;

    async fn run<C: Connection>(&self, on: &mut C, _again: bool) -> sqlx::Result<Self::Answer> {
        on.find(&self.0).await
    }
}

impl Statement for Save {
    type Answer = ();

    async fn run<C: Connection>(&self, on: &mut C, _again: bool) -> sqlx::Result<()> {
        on.save(&self.0.iter().map(|(name, born)| (name, *born)).collect()).await
    }
}

impl Statement for SaveIf {
    type Answer = bool;

    /// The second of two equal creations finds what the first one created.
    fn is_idempotent(&self) -> bool {
        self.2 != Condition::IfAbsent
    }

    async fn run<C: Connection>(&self, on: &mut C, _again: bool) -> sqlx::Result<bool> {
        on.save_if(&self.0, self.1, self.2).await
    }
}

impl Statement for Delete {
    type Answer = bool;

    /// Sent again, it may find that the first one, whose answer was lost, did the work.
    async fn run<C: Connection>(&self, on: &mut C, again: bool) -> sqlx::Result<bool> {
        Ok(on.delete(&self.0).await? || again)
    }
}
