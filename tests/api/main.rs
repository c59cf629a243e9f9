//! The service as its users and operators see it: over HTTP, through its command line, with real databases.
//!
//! Only Rust has to be installed: [`support`] downloads and runs PostgreSQL. If `DATABASE_URL` is set, tests create their
//! databases there; tests that stop or change a server always run their own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

mod support;

// What the API answers.
mod bodies;
mod coalescing;
mod dates;
mod headers;
mod hello;
mod methods;
mod openapi;
mod operation;
mod page;
mod requests;
mod time_zones;
mod usernames;

// How the service is run.
mod commands;
mod connections;
mod lifecycle;
mod migrations;
mod mistakes;
mod privacy;
mod settings;

// The database.
mod credentials;
mod healing;
mod outages;
mod replica;
mod tls;

// Faults and overload.
#[path = "../drills/mod.rs"]
mod drills;
