//! Logging to standard error. Lines never contain a name, a date or a body: requests are identified by route template and ids.

use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use crate::config::LogFormat;

/// Lines buffered for a slow reader; any more are dropped and counted.
const WAITING_LINES: usize = 4096;

static LOST: OnceLock<ErrorCounter> = OnceLock::new();

/// Logs to standard error in `format` until the returned guard is dropped. Panics are logged too.
///
/// A separate thread writes the lines: a stalled reader must not stop the service.
pub fn start(format: LogFormat) -> WorkerGuard {
    let (stderr, guard) = NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES).lossy(true).finish(std::io::stderr());
    LOST.get_or_init(|| stderr.error_counter());
    // sqlx's own log lines may quote values.
    let levels = Targets::new().with_default(LevelFilter::INFO).with_target("sqlx", LevelFilter::WARN);
    let lines = tracing_subscriber::fmt::layer().with_target(false).with_writer(stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(levels)).init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let reason = panic.payload_as_str().unwrap_or("no reason given");
        tracing::error!(place, "panic: {reason}");
    }));
    guard
}

/// Lines dropped because their reader was too slow.
pub fn lost() -> u64 {
    LOST.get().map_or(0, |lost| lost.dropped_lines() as u64)
}
