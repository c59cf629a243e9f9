//! One worker's connection to one server: made when it is needed, replaced when it breaks or credentials change, checked after a pause.
//! All sessions with a server share a circuit breaker: while no connection can be made, requests fail at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::Condition;
use super::credentials::Credentials;
use super::database::{Connection, Database, Outcome, Statement};
use super::error::{Close, Error, Kind};
use super::metrics::Metrics;

/// How often a server that is away is tried.
const PROBE: Duration = Duration::from_secs(1);
/// A connection that was idle for so long is checked. Also keeps a NAT from dropping it in silence (AWS: after 350 s).
const CHECK: Duration = Duration::from_secs(30);
/// How long a connection may take to close.
const CLOSE: Duration = Duration::from_secs(1);

/// A server, and what all sessions with it share.
pub struct Server {
    pub database: Database,
    pub role: &'static str,
    pub credentials: Credentials,
    pub connect_timeout: Duration,
    pub query_timeout: Duration,
    pub metrics: Metrics,
    open_circuit: AtomicBool,
    renewal: watch::Sender<()>,
    /// Connections are replaced one by one, so that a change of credentials needs only one more of them at a time.
    turn: Mutex<()>,
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
        let (open_circuit, renewal, turn) = Default::default();
        Arc::new(Self { database, role, credentials, connect_timeout, query_timeout, metrics, open_circuit, renewal, turn })
    }

    /// Has every session replace its connection.
    pub fn renew(&self) {
        self.renewal.send_replace(());
    }

    async fn connect(&self, limit: Duration) -> Result<Connection, Error> {
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
    fn open_circuit(self: &Arc<Self>, error: &Error) {
        if !self.open_circuit.swap(true, Ordering::Relaxed) {
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
                    self.open_circuit.store(false, Ordering::Relaxed);
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

/// Closes a connection that nobody waits for. A server that does not answer notices the closed socket.
fn discard(connection: Connection) {
    tokio::spawn(async move { timeout(CLOSE, connection.close()).await });
}

/// A connection that is counted as long as it is open.
struct Counted {
    connection: Option<Connection>,
    gauge: Gauge,
}

impl Counted {
    fn new(connection: Connection, gauge: Gauge) -> Self {
        gauge.inc();
        Self { connection: Some(connection), gauge }
    }

    fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("it is taken only at the end")
    }

    async fn close(mut self) {
        if let Some(connection) = self.connection.take()
            && let Ok(Err(error)) = timeout(CLOSE, connection.close()).await
        {
            tracing::debug!("a connection did not close cleanly: {error}");
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.gauge.dec();
        if let Some(connection) = self.connection.take() {
            discard(connection);
        }
    }
}

pub struct Session {
    server: Arc<Server>,
    renewal: watch::Receiver<()>,
    connection: Option<Counted>,
    /// When to check the connection, if it is not used until then.
    check_at: Instant,
    /// When to replace it at the soonest.
    not_before: Instant,
}

impl Session {
    pub fn new(server: Arc<Server>) -> Self {
        let renewal = server.renewal.subscribe();
        let now = Instant::now();
        Self { server, renewal, connection: None, check_at: now + CHECK, not_before: now }
    }

    /// Runs `statement` before `until`, once more if the kind of error allows it.
    pub async fn run(&mut self, statement: &Statement, until: Instant) -> Result<Outcome, Error> {
        let mut outcome = self.attempt(statement, until).await;
        if let Err(error) = &outcome {
            let rule = error.kind.rule();
            if rule.close == Close::All {
                self.server.renew();
            }
            let may_have_run = error.kind == Kind::Lost;
            if rule.retry && !(may_have_run && is_creation(statement)) {
                tracing::debug!(server = self.server.role, "{error}; trying once more");
                self.server.metrics.retries.inc();
                outcome = self.attempt(statement, until).await;
                // The first attempt may have deleted it.
                if let (true, Statement::Delete(_), Ok(outcome)) = (may_have_run, statement, &mut outcome) {
                    outcome.written = 1;
                }
            }
        }
        outcome.inspect_err(|error| self.report(error))
    }

    fn report(&self, error: &Error) {
        self.server.metrics.failed(self.server.role, error);
        match error.kind.rule().opens_circuit {
            true => self.server.open_circuit(error),
            false => tracing::warn!(server = self.server.role, "{error}"),
        }
    }

    async fn attempt(&mut self, statement: &Statement, until: Instant) -> Result<Outcome, Error> {
        if self.connection.is_none() || (self.is_outdated() && Instant::now() >= self.not_before) {
            self.renew(until).await?;
        }
        // Not in `self` while it is in use: what ends this future early closes the connection.
        let mut counted = self.connection.take().ok_or_else(|| Error::new(Kind::Away, "no connection"))?;
        let now = Instant::now();
        let limit = self.server.query_timeout.min(until.saturating_duration_since(now));
        if limit.is_zero() {
            self.connection = Some(counted);
            return Err(Error::slow(limit));
        }
        let work = async {
            // A creation is not sent twice, so the connection had better be good.
            if is_creation(statement) {
                counted.connection().verify().await?;
            }
            counted.connection().run(statement).await
        };
        let error = match timeout(limit, work).await {
            Ok(Ok(outcome)) => {
                self.connection = Some(counted);
                self.check_at = now + CHECK;
                return Ok(outcome);
            }
            Ok(Err(error)) => Error::from(error),
            Err(_) => Error::slow(limit),
        };
        if error.kind.rule().close == Close::None {
            self.connection = Some(counted);
        }
        Err(error)
    }

    /// Replaces the connection. The former one stays in use if only the new login is refused.
    async fn renew(&mut self, until: Instant) -> Result<(), Error> {
        let server = self.server.clone();
        self.renewal.mark_unchanged();
        if let Database::Sqlite(_) = server.database {
            // All have to be closed before a new file is opened.
            self.close().await;
        }
        let former = self.connection.take();
        let _turn = match &former {
            Some(_) => Some(timeout_at(until, server.turn.lock()).await.map_err(|_| Error::slow(server.connect_timeout))?),
            None => None,
        };
        match self.connect(until).await {
            Ok(connection) => {
                self.connection = Some(Counted::new(connection, server.metrics.connections(server.role)));
                self.check_at = Instant::now() + CHECK;
                Ok(())
            }
            Err(error) if error.kind == Kind::Login && former.is_some() => {
                tracing::warn!(server = server.role, "{error}; the connections of the former login stay in use");
                server.metrics.failed(server.role, &error);
                self.connection = former;
                self.renewal.mark_changed();
                self.not_before = Instant::now() + PROBE;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn connect(&mut self, until: Instant) -> Result<Connection, Error> {
        if self.server.open_circuit.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Away, "it was away a moment ago"));
        }
        let limit = || self.server.connect_timeout.min(until.saturating_duration_since(Instant::now()));
        let mut connected = self.server.connect(limit()).await;
        if let Err(error) = &connected
            && matches!(error.kind, Kind::Login | Kind::Lost)
        {
            // The password may have been changed sooner than the change was noticed; or the new connection was ended together with
            // the old ones.
            tracing::debug!(server = self.server.role, "{error}; trying once more");
            self.server.metrics.retries.inc();
            if error.kind == Kind::Login {
                self.server.reload_credentials();
            }
            connected = self.server.connect(limit()).await;
        }
        connected.map_err(|error| match error.kind {
            Kind::Lost => Error::new(Kind::Away, error.message),
            _ => error,
        })
    }

    /// Resolves when the connection has to be replaced or checked.
    pub async fn needs_care(&mut self) {
        if self.is_outdated() {
            return sleep_until(self.not_before).await;
        }
        tokio::select! {
            // The server that this session shares holds the sender, so there is no error.
            Ok(()) = self.renewal.changed() => self.renewal.mark_changed(),
            () = sleep_until(self.check_at) => {}
        }
    }

    fn is_outdated(&self) -> bool {
        self.renewal.has_changed().unwrap_or(false)
    }

    /// Replaces or checks the connection while no request waits for it.
    pub async fn care(&mut self) {
        let now = Instant::now();
        self.check_at = now + CHECK;
        if let (false, Some(counted)) = (self.is_outdated(), &mut self.connection) {
            match timeout(PROBE, counted.connection().verify()).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => tracing::debug!(server = self.server.role, "an idle connection is replaced: {error}"),
                Err(_) => tracing::debug!(server = self.server.role, "an idle connection is replaced: it was lost in silence"),
            }
            self.server.renew();
        }
        if let Err(error) = self.renew(now + 2 * self.server.connect_timeout).await {
            self.report(&error);
        }
    }

    pub async fn close(&mut self) {
        if let Some(counted) = self.connection.take() {
            counted.close().await;
        }
    }
}

fn is_creation(statement: &Statement) -> bool {
    matches!(statement, Statement::SaveIf(_, _, Condition::IfAbsent))
}
