//! The service as its users and operators meet it: over HTTP, by its command line, with real databases.
//!
//! Nothing but Rust has to be installed: PostgreSQL is fetched and run by [`support`]. Where `DATABASE_URL` is set, tests make
//! their databases there; tests that stop or change a server run one of their own in either case.

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
mod slow_clients;
mod time_zones;
mod usernames;

// How it is run.
mod commands;
mod lifecycle;
mod migrations;
mod mistakes;
mod privacy;
mod settings;

// What it stands on.
mod credentials;
mod healing;
mod outages;
mod replica;
mod repository;
mod tls;

// What it goes through.
#[path = "../drills/mod.rs"]
mod drills;
