//! Starts servers for tests in other languages, and stops them when its standard input closes, for whatever reason.
//!
//!     start postgres [--pair | [--tls AUTHORITY] [NAME=VALUE...]]   PostgreSQL 18.1 with additional settings
//!     start service [KEY=VALUE...]                                  the service, with settings as in ROCKET_<KEY>
//!     start clock TOML                                              the service in this process, with settings as in Rocket.toml
//!
//! Prints one line of JSON: `url`, and for PostgreSQL `log` (a file) and, with `--pair`, the URL of the synchronous `standby`.
//! `--tls` accepts only encrypted connections, to `localhost`, and writes the certificate of its authority to the file AUTHORITY.
//! `postgres` then reads commands and prints a line after each: `stop` (as for a restart), `start` (with the same port and data).
//! `clock` reads the times to set the service's clock to: `2031-01-01T12:00:00Z`.
//! `service` runs in an empty folder, on a free port and logs to standard error. BIRTHDAY_API names another binary.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for tests")]

#[path = "../tests/api/support/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the tests use the rest")]
mod support;

use std::io::{BufRead, Write, stdin, stdout};
use std::time::Duration;
use std::{env, fs};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::pair::Pair;
use support::postgresql::{Server, authority};
use support::{Database, Service, Store, TestApp, run};
use tempfile::TempDir;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["postgres", "--pair"] => {
            let pair = Pair::start();
            let standby = pair.standby.as_ref().map(|server| server.url("postgres"));
            obey(pair.primary, standby);
            drop(pair.standby);
        }
        ["postgres", "--tls", file, ref settings @ ..] => {
            let authority = authority();
            fs::write(file, authority.pem()).unwrap();
            obey(Server::with_tls(&authority, "localhost", settings), None);
        }
        ["postgres", ref settings @ ..] => obey(Server::start(settings), None),
        ["service", ref settings @ ..] => serve(settings),
        ["clock", settings] => on_a_clock(settings),
        _ => panic!("usage: start postgres | service | clock: see the head of examples/start.rs"),
    }
}

fn print(line: &Value) {
    println!("{line}");
    stdout().flush().unwrap();
}

fn obey(mut server: Server, standby: Option<String>) {
    // The Rust tests use a single SCRAM iteration to save time, which clients in other languages refuse.
    let secure = format!(
        "alter system set scram_iterations = 4096; select pg_reload_conf(); select pg_sleep(0.1); alter role postgres password '{}'",
        server.password
    );
    secure.split("; ").for_each(|statement| run(&server.url("postgres"), statement));
    print(&json!({ "url": server.url("postgres"), "log": server.log_file(), "standby": standby }));
    for command in stdin().lines().map(Result::unwrap) {
        match command.as_str() {
            "stop" => server.stop("INT"),
            "start" => assert!(server.resume(), "its port is taken"),
            other => panic!("neither stop nor start: {other:?}"),
        }
        print(&json!({ "done": command }));
    }
}

fn on_a_clock(settings: &str) {
    let app = TestApp::with(Database::new(Store::Sqlite), settings);
    print(&json!({ "url": format!("http://{}", app.address) }));
    for now in stdin().lines().map(Result::unwrap) {
        app.at_time(&now);
        print(&json!({ "done": now }));
    }
}

fn serve(settings: &[&str]) {
    let folder = TempDir::new().unwrap();
    let mut command = support::command(folder.path());
    for setting in settings {
        let (key, value) = setting.split_once('=').expect("KEY=VALUE");
        command.env(format!("ROCKET_{key}"), value);
    }
    let mut service = Service::start_logging(&mut command, |line| eprintln!("{line}"));
    print(&json!({ "url": format!("http://{}", service.address) }));
    stdin().lock().lines().for_each(|line| drop(line.unwrap()));
    service.signal(Signal::TERM);
    service.ended(Duration::from_secs(60));
}
