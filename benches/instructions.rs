//! Workloads for counting instructions: `instructions CASE CALLS` runs CASE that many times. `bench/instructions` runs it under
//! callgrind. Without arguments it lists the cases.

use std::hint::black_box;
use std::io::Write;
use std::process::{self, Command};

use birthday_api::clock::Clock;
use birthday_api::config::Settings;
use birthday_api::http::Received;
use birthday_api::store;
use chrono::{DateTime, Utc};
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use rocket::futures::future::join_all;
use rocket::http::{ContentType, Status};
use rocket::local::asynchronous::Client;

const NOW: &str = "2026-11-23T12:00:00Z";
/// The number of concurrent requests, in cases with more than one.
const TOGETHER: usize = 64;

type Case = (&'static str, fn(usize));

const CASES: [Case; 3] = [
    ("GET alone", |calls| requests(calls, 1, get)),
    ("GET, 64 at once", |calls| requests(calls, TOGETHER, get)),
    ("PUT, 64 at once", |calls| requests(calls, TOGETHER, put)),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments[..] {
        [name, calls] => {
            let (_, work) = CASES.iter().find(|(case, _)| case == name).expect("the name of a case");
            work(calls.parse().expect("a number of calls"));
        }
        _ => {
            let names = CASES.map(|(name, _)| name).join("\n") + "\n";
            std::io::stdout().write_all(names.as_bytes()).expect("somebody reads");
        }
    }
}

fn now() -> DateTime<Utc> {
    NOW.parse().expect("a time")
}

/// Sends `calls` requests, `together` at a time, to the whole service except its sockets, on SQLite.
fn requests(calls: usize, together: usize, request: impl AsyncFn(&Client, usize)) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite://{}/birthdays.db", directory.path().display());
    let figment = Figment::from(Toml::string(include_str!("../Rocket.toml")).nested())
        .merge(Serialized::default("databases.birthdays.url", url))
        // Callgrind simulates a much slower machine, which would exceed the default time limits.
        .merge(Serialized::default("databases.birthdays.connect_timeout", 15))
        .merge(Serialized::default("databases.birthdays.query_timeout", 15))
        .merge(Serialized::default("shutdown.grace", 30));
    let (figment, settings) = Settings::load(&figment).expect("the settings are good");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        store::migrate_at_start(&settings.databases.birthdays).await.expect("a new database");
        let rocket = birthday_api::rocket(figment, settings, Clock::new(now));
        let client = Client::untracked(rocket).await.expect("the service starts");
        // Saves and lookups once, so that connections are open and statements prepared.
        join_all((0..TOGETHER).map(|number| put(&client, number))).await;
        join_all((0..TOGETHER).map(|number| get(&client, number))).await;
        get(&client, 0).await;
        give_way_to_the_first_thread();
        for _ in 0..calls / together {
            join_all((0..together).map(|number| request(&client, number))).await;
        }
    });
}

/// Lets SQLite's threads run only while this one waits, on the one CPU that `bench/instructions` allows. How often an answer
/// wakes this thread up, and so what a call takes, would otherwise depend on the machine.
fn give_way_to_the_first_thread() {
    for policy in [&["--idle", "--all-tasks"][..], &["--other"]] {
        let status = Command::new("chrt").args(policy).args(["--pid", "0", &process::id().to_string()]).status();
        assert!(status.expect("chrt of util-linux").success(), "{policy:?}");
    }
}

/// A path with a different name for each concurrent request.
fn path(number: usize) -> String {
    let letter = |number: usize| char::from(b'a' + u8::try_from(number % 26).expect("below 26"));
    format!("/hello/Name{}{}", letter(number / 26), letter(number))
}

async fn get(client: &Client, number: usize) {
    let answer = client.get(path(number)).dispatch().await;
    assert_eq!(answer.status(), Status::Ok);
    black_box(answer.into_bytes().await);
}

async fn put(client: &Client, number: usize) {
    let request = client.put(path(number)).header(ContentType::JSON);
    request.inner().local_cache(|| Received::now(r#"{"dateOfBirth":"1990-05-17"}"#));
    assert_eq!(request.dispatch().await.status(), Status::NoContent);
}
