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
    /// The server answers, but accepts no further connection.
    pub is_refused: bool,
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
        Self { server, renewal, connection: None, is_refused: false, check_after, check_at: now + check_after, not_before: now }
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
        if self.is_refused && !self.is_outdated() && Instant::now() < self.check_at {
            return Err(Error::new(Kind::Busy, "it accepted no further connection a moment ago"));
        }
        if self.connection.is_none() || (self.is_outdated() && Instant::now() >= self.not_before) {
            self.renew(until).await?;
        }
        // Taken out of `self` while in use: if this future is dropped, the connection is closed.
        let mut counted = self.connection.take().ok_or_else(|| Error::new(Kind::Away, "no connection"))?;
        let now = Instant::now();
        let limit = self.server.settings.query_timeout.min(until.saturating_duration_since(now));
        if limit.is_zero() {
            self.connection = Some(counted);
            return Err(Error::slow(limit));
        }
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
            Err(_) => Error::slow(limit),
        };
        match error.kind.rule().close {
            Close::None => self.connection = Some(counted),
            Close::This | Close::All => drop(tokio::spawn(counted.close())),
        }
        Err(error)
    }

    /// Replaces the connection. The old one stays in use if the server refuses a new one: the login, or one more connection.
    async fn renew(&mut self, until: Instant) -> Result<(), Error> {
        let server = self.server.clone();
        self.renewal.mark_unchanged();
        if let Database::Sqlite(_) = server.database {
            // All connections have to be closed before a new file is opened.
            self.close().await;
        }
        let _turn = match &self.connection {
            Some(_) => {
                Some(timeout_at(until, server.turn.lock()).await.map_err(|_| Error::slow(server.settings.connect_timeout))?)
            }
            None => None,
        };
        let connected = server.connect(until).await;
        let refusal = connected.as_ref().err().filter(|error| error.kind.is_refusal());
        if let (Some(error), Some(_)) = (refusal, &self.connection) {
            tracing::warn!(server = server.role, "{error}; the former connection stays in use");
            server.metrics.failed(server.role, error);
            self.renewal.mark_changed();
            self.not_before = Instant::now() + PROBE;
            return Ok(());
        }
        if let Some(former) = self.connection.take() {
            tokio::spawn(former.close());
        }
        self.is_refused = refusal.is_some();
        self.check_at = Instant::now() + if self.is_refused { PROBE } else { self.check_after };
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

    pub async fn close(&mut self) {
        if let Some(counted) = self.connection.take() {
            counted.close().await;
        }
    }
}

/// Whether a second attempt would hide what the first one did: it would be refused because of the row that the first created, or
/// find nothing to delete, and so not wait for the standby. The connection is checked first instead.
fn is_sent_once(statement: Statement<'_>) -> bool {
    matches!(statement, Statement::Write(Write::Save(_, Condition::IfAbsent) | Write::Delete(_)))
}
