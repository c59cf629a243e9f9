//! Fault drills: the real binary with real databases, a network that fails on command, and hostile clients.
//!
//! `cargo test` skips them, because they take minutes. `just drills` runs them one after the other and prints the figures.

#![allow(clippy::print_stdout, reason = "figures are read on the screen")]

/// Prints a measurement for docs/reliability.md, in one line.
macro_rules! measured {
    ($drill:expr, $($figures:tt)*) => { println!("measured  {}: {}", $drill, format_args!($($figures)*)) };
}

// Support for the drills.
mod load;
pub mod proxy;

// The database, and the network to it.
mod failover;
mod network;
mod pooler;
mod sqlite;

// The service and its clients.
mod memory;

use std::env;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Service, command};

/// The deadline of a request in the drills: `connect_timeout` and `query_timeout` are a second each.
const DEADLINE: Duration = Duration::from_secs(2);

/// The service on a database, with additional settings of that database (`name=value,`).
pub fn service_on(directory: &TempDir, url: &str, settings: &str) -> Service {
    service_with(&mut command(directory.path()), url, settings)
}

/// The same, started with `command`.
fn service_with(command: &mut Command, url: &str, settings: &str) -> Service {
    let timeouts = if settings.contains("timeout=") { "" } else { "connect_timeout=1,query_timeout=1," };
    let tables = format!("{{birthdays={{{settings}{timeouts}url={url:?}}}}}");
    Service::start(command.env("ROCKET_DATABASES", tables))
}

/// The same database through a proxy.
pub fn through(proxy: &proxy::Proxy, url: &str) -> String {
    let mut url: reqwest::Url = url.parse().unwrap();
    url.set_port(Some(proxy.address.port())).unwrap();
    url.into()
}

/// Where the database of a URL listens.
pub fn database_address(url: &str) -> std::net::SocketAddr {
    let url: reqwest::Url = url.parse().unwrap();
    std::net::SocketAddr::new(
        url.host_str().unwrap().parse().expect("DATABASE_URL names a host by its address"),
        url.port().unwrap_or(5432),
    )
}

/// How often to repeat a drill: `usually`, or the value of DRILLS_REPEAT.
fn repetitions(usually: usize) -> usize {
    env::var("DRILLS_REPEAT").map_or(usually, |times| times.parse().expect("DRILLS_REPEAT is a number"))
}

fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
