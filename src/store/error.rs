//! What went wrong with a statement or a connection ([`Kind`]), and how to react to it ([`Kind::rule`]).

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use super::StoreError;

/// A statement or a connection that failed. The message is for the log: it never contains a name, a date or a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", .kind.rule().meaning)]
pub struct Error {
    pub kind: Kind,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The connection broke, or the server ended it. The statement may have been executed.
    Lost,
    /// The session's state has become unusable: a cached plan, a prepared statement, a damaged file handle.
    Stale,
    /// The server does not accept this user or password.
    Login,
    /// No connection can be made.
    Away,
    /// No answer within the time limit.
    Slow,
    /// The database refused the data of one row; the other rows of the batch may be fine.
    Row,
    /// Locked, cancelled or out of resources.
    Busy,
    /// Rolled back because of a conflict with another transaction.
    Conflict,
    /// The server currently accepts no writes.
    ReadOnly,
    /// A table or a column is missing.
    Schema,
    Other,
}

/// Which connections to close after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    None,
    This,
    /// The other connections to the server are most likely broken too.
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The kind under which metrics count the error.
    pub counted_as: &'static str,
    /// The description in the log.
    pub meaning: &'static str,
    pub close: Close,
    /// Whether the statement is sent once more: on a new connection if this one is closed.
    pub retry: bool,
    pub opens_circuit: bool,
    pub answer: StoreError,
}

impl Kind {
    /// All values of [`Rule::counted_as`].
    pub const COUNTED_AS: [&str; 7] = ["connection", "login", "away", "slow", "row", "busy", "other"];

    pub const fn rule(self) -> Rule {
        use StoreError::{NotMigrated, Refused, Unavailable};
        let (counted_as, meaning, close, retry, opens_circuit, answer) = match self {
            Self::Lost => ("connection", "connection lost", Close::All, true, false, Unavailable),
            Self::Stale => ("connection", "connection outdated", Close::This, true, false, Unavailable),
            Self::Login => ("login", "login refused", Close::This, false, true, Unavailable),
            Self::Away => ("away", "database not reachable", Close::This, false, true, Unavailable),
            Self::Slow => ("slow", "no answer from the database", Close::All, false, false, Unavailable),
            Self::Row => ("row", "the database refused a row", Close::None, false, false, Refused),
            Self::Busy => ("busy", "the database is busy", Close::None, false, false, Unavailable),
            Self::Conflict => ("busy", "transaction conflict", Close::None, true, false, Unavailable),
            Self::ReadOnly => ("other", "the database is read-only", Close::This, true, false, Unavailable),
            Self::Schema => ("other", "the schema does not match", Close::None, false, false, NotMigrated),
            Self::Other => ("other", "the statement failed", Close::This, false, false, Unavailable),
        };
        Rule { counted_as, meaning, close, retry, opens_circuit, answer }
    }
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The error that the request gets.
    pub fn answer(&self) -> StoreError {
        self.kind.rule().answer
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(error) = error else {
            let kind = match error {
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => Kind::Lost,
                _ => Kind::Other,
            };
            return Self::new(kind, error.to_string());
        };
        let code = error.code().unwrap_or_default();
        let kind = match error.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => postgres(&code, error.severity()),
            None => sqlite(&code),
        };
        let message = match kind {
            // The message may quote the value.
            Kind::Row => code.into_owned(),
            _ => format!("{} ({code})", error.message()),
        };
        Self::new(kind, message)
    }
}

/// By SQLSTATE (PostgreSQL manual, appendix A). After FATAL and PANIC the server closes the connection.
fn postgres(code: &str, severity: PgSeverity) -> Kind {
    let (class, _) = code.split_at_checked(2).unwrap_or_default();
    match (code, class) {
        ("28P01" | "28000", _) => Kind::Login,
        // Too many connections: other sessions go on, although this is FATAL for a new one.
        ("53300", _) => Kind::Busy,
        // A missing privilege, which a migration does not grant.
        ("42501", _) => Kind::Other,
        _ if matches!(severity, PgSeverity::Fatal | PgSeverity::Panic) => Kind::Lost,
        // 40003: it is not known whether the statement was executed.
        (_, "08") | ("57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25P04" | "40003", _) => Kind::Lost,
        ("25006", _) => Kind::ReadOnly,
        // 0A000: a cached plan whose result would have another type. 42P05: a prepared statement of this name already exists.
        ("0A000" | "42P05", _) | (_, "25" | "26") => Kind::Stale,
        (_, "40") => Kind::Conflict,
        (_, "22" | "23") | ("P0001", _) => Kind::Row,
        (_, "53" | "55" | "57") => Kind::Busy,
        (_, "3F" | "42") => Kind::Schema,
        _ => Kind::Other,
    }
}

/// By extended result code, of which the lowest byte is the primary one (<https://www.sqlite.org/rescode.html>).
fn sqlite(code: &str) -> Kind {
    match code.parse::<u32>().map(|code| code & 0xff) {
        // ERROR: no such table
        Ok(1) => Kind::Schema,
        // BUSY, LOCKED
        Ok(5 | 6) => Kind::Busy,
        // READONLY
        Ok(8) => Kind::ReadOnly,
        // IOERR, CORRUPT, CANTOPEN, NOTADB: the file may have been replaced, and a new handle opens the new one
        Ok(10 | 11 | 14 | 26) => Kind::Stale,
        // CONSTRAINT, MISMATCH
        Ok(19 | 20) => Kind::Row,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests;
