//! Starts what tests in other languages need, and ends it when its own standard input ends, however that comes about.
//!
//!     start postgres [--pair | --tls AUTHORITY] [NAME=VALUE...]     PostgreSQL 18.1 with further settings
//!     start service [--in FOLDER] [KEY=VALUE...]                    the service, with settings as in ROCKET_<KEY>
//!     start clock [TOML]                                            the service in this process, with settings as in Rocket.toml
//!
//! Prints one line of JSON: `url`, and of PostgreSQL `log` (a file) and the `standby` of a pair, without which no commit is acknowledged.
//! `--tls` takes encrypted connections to `localhost` only, and writes its authority's certificate to a file.
//! PostgreSQL then reads commands, and prints a line when each is done: `stop` (as before a restart), `start` (on the same port and data).
//! `clock` reads what the service's clock is to show: `2031-01-01T12:00:00Z`.
//! The service starts in the folder, else in an empty one, on a free port; its log goes to standard error. BIRTHDAY_API names another binary.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for tests")]

#[path = "../tests/api/support/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the tests use the rest")]
mod support;

use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use nix::sys::signal::Signal;
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
        ["service", "--in", folder, ref settings @ ..] => serve(Path::new(folder), settings),
        ["service", ref settings @ ..] => serve(TempDir::new().unwrap().path(), settings),
        ["clock"] => on_a_clock(""),
        ["clock", settings] => on_a_clock(settings),
        _ => panic!("usage: start postgres | service: see the head of examples/start.rs"),
    }
}

fn print(line: &Value) {
    println!("{line}");
    stdout().flush().unwrap();
}

fn obey(mut server: Server, standby: Option<String>) {
    // The tests in Rust save time by a single iteration, which clients of other languages refuse.
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

fn serve(folder: &Path, settings: &[&str]) {
    let mut command = support::command(folder);
    for setting in settings {
        let (key, value) = setting.split_once('=').expect("KEY=VALUE");
        command.env(format!("ROCKET_{key}"), value);
    }
    let mut service = Service::start_logging(&mut command, |line| eprintln!("{line}"));
    print(&json!({ "url": format!("http://{}", service.address) }));
    stdin().lock().lines().for_each(|line| drop(line.unwrap()));
    service.signal(Signal::SIGTERM);
    service.ended(Duration::from_secs(60));
}
