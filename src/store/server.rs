//! A server and its circuit breaker: while no connection can be made, requests fail at once, and a probe runs every second.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{self, watch};
use tokio::time::{Instant, sleep, timeout};

use super::credentials::Login;
use super::database::{Connection, Database};
use super::error::{Error, Kind};
use super::metrics::Metrics;
use super::settings::{DatabaseUrl, Settings};

/// How often an unreachable server is probed.
pub const PROBE: Duration = Duration::from_secs(1);
/// How often to check for changed credentials.
const POLL: Duration = Duration::from_secs(2);
/// How long a connection may take to close.
const CLOSE: Duration = Duration::from_secs(1);

/// A server, and what all sessions with it share.
pub struct Server {
    pub database: Database,
    pub role: &'static str,
    pub settings: Settings,
    pub metrics: Metrics,
    /// Why no connection can be made; `None` while the circuit is closed.
    obstacle: Mutex<Option<Kind>>,
    /// The login of the files. A notice, with or without a change, makes every session replace its connection.
    pub login: watch::Sender<Option<Login>>,
    /// Connections are replaced one by one, so that a change of credentials needs only one extra connection at a time.
    pub turn: sync::Mutex<()>,
}

/// A connection that is counted while it is open.
pub struct Counted {
    pub connection: Connection,
    _count: Count,
}

struct Count(Gauge);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Counted {
    pub async fn close(self) {
        if let Ok(Err(error)) = timeout(CLOSE, self.connection.close()).await {
            tracing::debug!("a connection did not close cleanly: {error}");
        }
    }
}

impl Server {
    /// `role` is `primary` or `replica`; a replica may be a standby.
    pub fn start(url: &DatabaseUrl, role: &'static str, settings: &Settings, metrics: &Metrics) -> io::Result<Arc<Self>> {
        metrics.expect(role);
        let server = Arc::new(Self {
            database: Database::new(url, settings.query_timeout, settings.pooler, role == "replica"),
            role,
            settings: settings.clone(),
            metrics: metrics.clone(),
            obstacle: Mutex::default(),
            login: watch::Sender::new(settings.login()?),
            turn: sync::Mutex::default(),
        });
        tokio::spawn(server.clone().watch_credentials());
        Ok(server)
    }

    /// Connects before `until`, with one more attempt for each cause against which it may help.
    pub async fn connect(&self, until: Instant) -> Result<Counted, Error> {
        if let Some(kind) = *self.obstacle.lock() {
            return Err(Error::new(kind, "no connection could be made a moment ago"));
        }
        let mut causes = Vec::new();
        loop {
            let error = match self.try_to_connect(until).await {
                // The new password may not have been read yet, or the connection was closed together with the old ones.
                Err(error) if matches!(error.kind, Kind::Login | Kind::Lost) && !causes.contains(&error.kind) => error,
                Err(error) if error.kind == Kind::Lost => return Err(Error::new(Kind::Away, error.message)),
                outcome => return outcome,
            };
            tracing::debug!(server = self.role, "{error}; trying once more");
            self.metrics.retries.inc();
            self.reload_credentials()
                .unwrap_or_else(|error| tracing::warn!(server = self.role, "database credentials cannot be read: {error}"));
            causes.push(error.kind);
        }
    }

    async fn try_to_connect(&self, until: Instant) -> Result<Counted, Error> {
        let limit = self.settings.connect_timeout.min(until.saturating_duration_since(Instant::now()));
        let login = self.login.borrow().clone();
        let error = match timeout(limit, self.database.connect(login.as_ref())).await {
            Ok(Ok(connection)) => {
                let open = self.metrics.connections(self.role);
                open.inc();
                return Ok(Counted { connection, _count: Count(open) });
            }
            Ok(Err(error)) => Error::from(error),
            // A time limit below `connect_timeout` says nothing about the server.
            Err(_) if limit < self.settings.connect_timeout => Error::new(Kind::Busy, "too little time was left to connect"),
            Err(_) => Error::new(Kind::Away, format!("no connection within {} ms", limit.as_millis())),
        };
        match error.kind {
            Kind::Lost | Kind::Login | Kind::Busy => Err(error),
            _ => Err(Error::new(Kind::Away, error.message)),
        }
    }

    /// Logs and counts an error of a request or a check. If no connection can be made, requests fail at once from now on.
    pub fn report(self: &Arc<Self>, error: &Error) {
        self.metrics.failed(self.role, error);
        if !error.kind.rule().opens_circuit {
            let remedy = if error.kind == Kind::Schema { "; run birthday-api migrate" } else { "" };
            tracing::warn!(server = self.role, "{error}{remedy}");
        } else if self.obstacle.lock().replace(error.kind).is_none() {
            tracing::warn!(server = self.role, "{error}; trying again every second");
            self.metrics.away(self.role, true);
            tokio::spawn(self.clone().close_circuit());
        }
    }

    async fn close_circuit(self: Arc<Self>) {
        let probe = loop {
            sleep(PROBE).await;
            match self.try_to_connect(Instant::now() + 2 * self.settings.connect_timeout).await {
                Ok(connection) => break connection,
                Err(error) => *self.obstacle.lock() = Some(if error.kind == Kind::Lost { Kind::Away } else { error.kind }),
            }
        };
        *self.obstacle.lock() = None;
        self.metrics.away(self.role, false);
        tracing::info!(server = self.role, "database is back");
        self.renew_all();
        probe.close().await;
    }

    /// Makes every session replace its connection.
    pub fn renew_all(&self) {
        self.login.send_modify(|_| {});
    }

    async fn watch_credentials(self: Arc<Self>) {
        let mut readable = true;
        loop {
            sleep(POLL).await;
            let outcome = self.reload_credentials();
            if let (true, Err(error)) = (readable, &outcome) {
                tracing::warn!(server = self.role, "database credentials cannot be read, the previous ones stay in use: {error}");
            }
            readable = outcome.is_ok();
        }
    }

    fn reload_credentials(&self) -> io::Result<()> {
        let found = self.settings.login()?;
        if self.login.send_if_modified(|login| std::mem::replace(login, found.clone()) != found) {
            tracing::info!(server = self.role, "database credentials changed; connections are being renewed");
            self.metrics.credential_reloads.inc();
        }
        Ok(())
    }
}
