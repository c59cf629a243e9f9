//! A server and its circuit breaker: while no connection can be made, requests fail at once, and the server is tried every second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};
use tokio::time::{sleep, timeout};

use super::credentials::Credentials;
use super::database::{Connection, Database};
use super::error::{Error, Kind};
use super::metrics::Metrics;

/// How often a server that is away is tried.
pub const PROBE: Duration = Duration::from_secs(1);
/// How long a connection may take to close.
pub const CLOSE: Duration = Duration::from_secs(1);

/// A server, and what all sessions with it share.
pub struct Server {
    pub database: Database,
    pub role: &'static str,
    pub credentials: Credentials,
    pub connect_timeout: Duration,
    pub query_timeout: Duration,
    pub metrics: Metrics,
    circuit_is_open: AtomicBool,
    pub renewal: watch::Sender<()>,
    /// Connections are replaced one by one, so that a change of credentials needs only one more of them at a time.
    pub turn: Mutex<()>,
}

impl Server {
    pub fn new(
        database: Database,
        role: &'static str,
        credentials: Credentials,
        (connect_timeout, query_timeout): (Duration, Duration),
        metrics: Metrics,
    ) -> Arc<Self> {
        metrics.expect(role);
        let (circuit_is_open, renewal, turn) = Default::default();
        Arc::new(Self { database, role, credentials, connect_timeout, query_timeout, metrics, circuit_is_open, renewal, turn })
    }

    pub fn circuit_is_open(&self) -> bool {
        self.circuit_is_open.load(Ordering::Relaxed)
    }

    /// Has every session replace its connection.
    pub fn renew(&self) {
        self.renewal.send_replace(());
    }

    pub async fn connect(&self, limit: Duration) -> Result<Connection, Error> {
        let login = self.credentials.login();
        let error = match timeout(limit, self.database.connect(login.as_ref())).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => Error::from(error),
            // Less time than a connection may take says nothing about the server.
            Err(_) if limit < self.connect_timeout => return Err(Error::slow(limit)),
            Err(_) => Error::new(Kind::Away, format!("no connection within {} ms", limit.as_millis())),
        };
        match error.kind {
            Kind::Lost | Kind::Login | Kind::Busy => Err(error),
            _ => Err(Error::new(Kind::Away, error.message)),
        }
    }

    /// From now on requests fail at once instead of waiting for a connection, until one could be made again.
    pub fn open_circuit(self: &Arc<Self>, error: &Error) {
        if !self.circuit_is_open.swap(true, Ordering::Relaxed) {
            tracing::warn!(server = self.role, "{error}; trying again every second");
            self.metrics.away(self.role, true);
            tokio::spawn(self.clone().close_circuit());
        }
    }

    async fn close_circuit(self: Arc<Self>) {
        loop {
            sleep(PROBE).await;
            match self.connect(self.connect_timeout).await {
                Ok(connection) => {
                    self.circuit_is_open.store(false, Ordering::Relaxed);
                    self.metrics.away(self.role, false);
                    tracing::info!(server = self.role, "database is back");
                    discard(connection);
                    self.renew();
                    return;
                }
                Err(error) if error.kind == Kind::Login => self.reload_credentials(),
                Err(_) => {}
            }
        }
    }

    pub fn reload_credentials(&self) {
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

/// Closes a connection that nobody waits for. A server that does not answer notices the closed socket.
pub fn discard(connection: Connection) {
    // Without a runtime the process ends, and the connection with it.
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(async move { timeout(CLOSE, connection.close()).await });
    }
}
