//! What a database error means for the requests that waited for the statement, and what is known about a server that is away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A statement that failed, by what to do about it. The texts are for the log: they never hold a name or a date.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The connection is of no use any more; another one may be.
    #[error("connection lost: {0}")]
    Connection(String),
    /// The server does not take this user or password.
    #[error("login refused: {0}")]
    Login(String),
    /// No connection can be made at present.
    #[error("database not reachable: {0}")]
    Away(String),
    /// No answer within the time limit.
    #[error("no answer from the database within {} ms", .0.as_millis())]
    Slow(Duration),
    /// The database refused the data of one row; the other rows of the batch may be fine.
    #[error("the database refused a row: {0}")]
    Row(String),
    /// Locked, cancelled or out of resources: it may pass.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// Anything else: read-only, full, without the table.
    #[error("the database could not run the statement: {0}")]
    Other(String),
}

impl Fault {
    /// All that [`kind`](Self::kind) says.
    pub const KINDS: [&str; 7] = ["connection", "login", "away", "slow", "row", "busy", "other"];

    /// The name under which this fault is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Connection(_) => "connection",
            Self::Login(_) => "login",
            Self::Away(_) => "away",
            Self::Slow(_) => "slow",
            Self::Row(_) => "row",
            Self::Busy(_) => "busy",
            Self::Other(_) => "other",
        }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(error) = error else {
            return match error {
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
                    Self::Connection(error.to_string())
                }
                error => Self::Other(error.to_string()),
            };
        };
        let code = error.code().unwrap_or_default().into_owned();
        let told = format!("{} ({code})", error.message());
        if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() { sqlite(&code, told) } else { postgres(&code, told) }
    }
}

/// By SQLSTATE (PostgreSQL manual, appendix A).
fn postgres(code: &str, told: String) -> Fault {
    match code {
        // Shut down, crashed or starting; read-only because it was demoted; broken connection; chosen as a deadlock's victim.
        "57P01" | "57P02" | "57P03" | "25006" | "40001" | "40P01" => Fault::Connection(told),
        _ if code.starts_with("08") => Fault::Connection(told),
        "28P01" | "28000" => Fault::Login(told),
        // The message may quote the value.
        _ if code.starts_with("22") || code.starts_with("23") || code == "P0001" => Fault::Row(code.to_owned()),
        "55P03" | "57014" => Fault::Busy(told),
        _ if code.starts_with("53") => Fault::Busy(told),
        _ => Fault::Other(told),
    }
}

/// By extended result code, of which the lowest byte is the primary one (<https://www.sqlite.org/rescode.html>).
fn sqlite(code: &str, told: String) -> Fault {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const READONLY: u32 = 8;
    const IOERR: u32 = 10;
    const CORRUPT: u32 = 11;
    const CONSTRAINT: u32 = 19;
    const MISMATCH: u32 = 20;
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(CONSTRAINT | MISMATCH) => Fault::Row(code.to_owned()),
        Ok(BUSY | LOCKED) => Fault::Busy(told),
        // The file may have been replaced, or may be written by now: a fresh handle looks again.
        Ok(READONLY | IOERR | CORRUPT) => Fault::Connection(told),
        _ => Fault::Other(told),
    }
}

/// Whether a server is known to be away, so that requests do not wait for a connection that cannot be made.
#[derive(Default)]
pub struct Presence {
    away: AtomicBool,
}

impl Presence {
    pub fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// True for the one caller that changed it, who then has to watch for the return.
    pub fn went_away(&self) -> bool {
        !self.away.swap(true, Ordering::Relaxed)
    }

    /// True for the one caller that changed it.
    pub fn returned(&self) -> bool {
        self.away.swap(false, Ordering::Relaxed)
    }
}
