//! One worker's connection to one server: opened when needed, replaced when it breaks or credentials change, checked when idle.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::Condition;
use super::credentials::Login;
use super::database::{Database, Outcome, Statement, Write};
use super::error::{Close, Error, Kind};
use super::server::{Counted, PROBE, Server};

/// A connection that was idle for this long is checked. This also keeps a NAT from silently dropping it (AWS: after 350 s).
const CHECK: Duration = Duration::from_secs(30);
/// The same for SQLite: the check costs nothing, and a replaced file is opened only when no connection has the former one.
const CHECK_FILE: Duration = Duration::from_secs(1);

pub struct Session {
    pub server: Arc<Server>,
    renewal: watch::Receiver<Option<Login>>,
    connection: Option<Counted>,
    /// Why the last attempt to connect failed.
    pub refused: Option<Error>,
    check_after: Duration,
    /// When to check the connection, if it is not used before.
    check_at: Instant,
    /// The earliest time to replace it.
    not_before: Instant,
}

impl Session {
    pub fn new(server: Arc<Server>) -> Self {
        let renewal = server.login.subscribe();
        let now = Instant::now();
        let check_after = if let Database::Sqlite(_) = server.database { CHECK_FILE } else { CHECK };
        Self { server, renewal, connection: None, refused: None, check_after, check_at: now + check_after, not_before: now }
    }

    /// Runs `statement` before `until`, and retries it once if the kind of error allows it.
    pub async fn run(&mut self, statement: Statement<'_>, until: Instant) -> Result<Outcome, Error> {
        let outcome = match self.attempt(statement, until).await {
            Err(error) => self.again(statement, until, error).await,
            outcome => outcome,
        };
        outcome.inspect_err(|error| self.server.report(error))
    }

    async fn again(&mut self, statement: Statement<'_>, until: Instant, error: Error) -> Result<Outcome, Error> {
        let rule = error.kind.rule();
        if rule.close == Close::All {
            self.server.renew_all();
        }
        let may_have_run = error.kind == Kind::Lost;
        if !rule.retry || (may_have_run && is_sent_once(statement)) {
            return Err(error);
        }
        tracing::debug!(server = self.server.role, "{error}; trying once more");
        self.server.metrics.retries.inc();
        self.attempt(statement, until).await
    }

    async fn attempt(&mut self, statement: Statement<'_>, until: Instant) -> Result<Outcome, Error> {
        if let Some(error) = self.refused.as_ref().filter(|_| !self.is_outdated() && Instant::now() < self.check_at) {
            return Err(error.clone());
        }
        if self.connection.is_none() || (self.is_outdated() && Instant::now() >= self.not_before) {
            self.renew(until).await?;
        }
        let limit = self.server.settings.query_timeout.min(left(until)?);
        // Taken out of `self` while in use: if this future is dropped, the connection is closed.
        let mut counted = self.connection.take().ok_or_else(|| Error::new(Kind::Away, "no connection"))?;
        let now = Instant::now();
        let work = async {
            if is_sent_once(statement)
                && let Err(error) = counted.connection.verify().await
            {
                self.server.renew_all();
                return Err(Error::new(Kind::Stale, error.to_string()));
            }
            Ok(counted.connection.run(statement).await?)
        };
        let error = match timeout(limit, work).await {
            Ok(Ok(outcome)) => {
                self.connection = Some(counted);
                self.check_at = now + self.check_after;
                return Ok(outcome);
            }
            Ok(Err(error)) => error,
            Err(_) => Error::new(Kind::Slow, format!("none within {} ms", limit.as_millis())),
        };
        match error.kind.rule().close {
            Close::None => self.connection = Some(counted),
            Close::This | Close::All => drop(tokio::spawn(counted.close())),
        }
        Err(error)
    }

    /// Replaces the connection. The former one stays in use if it works and no new one can be made.
    async fn renew(&mut self, until: Instant) -> Result<(), Error> {
        let server = self.server.clone();
        if let Database::Sqlite(_) = server.database {
            // All connections have to be closed before a new file is opened.
            self.close().await;
        }
        let _turn = if self.connection.is_some() { timeout_at(until, server.turn.lock()).await.ok() } else { None };
        left(until)?;
        self.renewal.mark_unchanged();
        let connected = server.connect(until).await;
        if let (Err(error), Some(former)) = (&connected, &mut self.connection)
            && let Ok(Ok(())) = timeout(PROBE, former.connection.verify()).await
        {
            if error.kind == Kind::Away {
                // The other sessions need not wait for the same.
                server.report(error);
            } else {
                tracing::warn!(server = server.role, "{error}; the former connection stays in use");
                server.metrics.failed(server.role, error);
            }
            self.renewal.mark_changed();
            self.not_before = Instant::now() + PROBE;
            return Ok(());
        }
        self.release();
        // A request that had too little time to connect says nothing about the server.
        self.refused = connected.as_ref().err().filter(|_| left(until).is_ok()).cloned();
        self.check_at = Instant::now() + if self.refused.is_some() { PROBE } else { self.check_after };
        self.connection = Some(connected?);
        Ok(())
    }

    /// Resolves when the connection has to be replaced or checked.
    pub async fn needs_care(&mut self) {
        if self.is_outdated() {
            return sleep_until(self.not_before).await;
        }
        tokio::select! {
            // The shared server holds the sender, so this cannot fail.
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
        self.check_at = now + self.check_after;
        if let (false, Some(counted)) = (self.is_outdated(), &mut self.connection) {
            if let Ok(Ok(())) = timeout(PROBE, counted.connection.verify()).await {
                return;
            }
            tracing::debug!(server = self.server.role, "an idle connection was lost, and is replaced");
            self.server.renew_all();
        }
        if let Err(error) = self.renew(now + 2 * self.server.settings.connect_timeout).await {
            self.server.report(&error);
        }
    }

    /// Closes the connection without waiting for it.
    pub fn release(&mut self) {
        if let Some(counted) = self.connection.take() {
            tokio::spawn(counted.close());
        }
    }

    pub async fn close(&mut self) {
        if let Some(counted) = self.connection.take() {
            counted.close().await;
        }
    }
}

/// What is left until then. If nothing is, the server is not asked: that says nothing about it or its connections.
fn left(until: Instant) -> Result<Duration, Error> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(Error::new(Kind::Busy, "no time was left to ask it")) } else { Ok(left) }
}

/// Whether a second attempt would hide what the first one did: it would be refused because of the row that the first created, or
/// find nothing to delete, and so not wait for the standby. The connection is checked first instead.
fn is_sent_once(statement: Statement<'_>) -> bool {
    matches!(statement, Statement::Write(Write::Save(_, Condition::IfAbsent) | Write::Delete(_)))
}
