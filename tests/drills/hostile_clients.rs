//! Clients that mean no good. Somebody who means well is served all the while.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::load::{Kind, Load, Record};
use super::report::{measured, ms};
use super::service_on;
use crate::support::{Service, block_on, raw};

/// As many as the usual limit of 1024 files for a process leaves room for.
const IDLE: usize = 960;
/// What a request of somebody else may take meanwhile.
const PROMPT: Duration = Duration::from_secs(3);
/// `FIRST_REQUEST` of src/http/server.rs, three times.
const ENDED: Duration = Duration::from_secs(3 * 10);

struct Drill {
    service: Service,
    load: Load,
    _directory: TempDir,
}

impl Drill {
    fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let service = service_on(&directory, &format!("sqlite://{}", directory.path().join("birthdays.db").display()), "");
        let load = Load::start(service.address, 2, Duration::from_millis(20));
        Self { service, load, _directory: directory }
    }

    fn end(self) -> Record {
        self.load.wait_for(Kind::Lookup, Instant::now(), PROMPT);
        let record = self.load.stop();
        record.expect_no_failure();
        assert!(record.slowest() < PROMPT, "somebody else waited {:?}", record.slowest());
        record
    }
}

/// Resident memory in KiB: `VmRSS` now, `VmHWM` at its highest.
pub fn memory(service: &Service, kind: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", service.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(kind)).expect("it runs");
    line.trim_matches([':', '\t', ' ']).trim_end_matches(" kB").parse().unwrap()
}

#[test]
#[ignore = "a drill: just drills"]
fn a_thousand_connections_that_send_nothing_or_half_a_request_are_ended_and_hold_up_nobody() {
    let drill = Drill::start();
    let before = memory(&drill.service, "VmRSS");
    let beginnings = ["", "PUT /hel", "GET /hello/John HTTP/1.1\r\nHost: localhost\r\nX-Slow: "];
    let opened = Instant::now();
    let mut idle: Vec<TcpStream> =
        (0..IDLE).map(|number| raw::send(drill.service.address, beginnings[number % beginnings.len()])).collect();
    let held = memory(&drill.service, "VmRSS");
    idle.retain_mut(|connection| {
        connection
            .set_read_timeout(Some((opened + ENDED).saturating_duration_since(Instant::now()).max(Duration::from_millis(1))))
            .unwrap();
        // An end, or a reset: either way it is over.
        connection.read_to_end(&mut Vec::new()).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    });
    let ended = opened.elapsed();
    assert!(idle.is_empty(), "{} of {IDLE} connections are open after {ended:?}", idle.len());
    assert!(held < before + 100 * 1024, "{IDLE} connections took {} KiB", held - before);
    let record = drill.end();
    measured!(
        "idle connections",
        "{IDLE} ended within {}, memory {before} to {held} KiB; {} requests of others, 0 failed, slowest {}",
        ms(ended),
        record.events.len(),
        ms(record.slowest())
    );
}

#[test]
#[ignore = "a drill: just drills"]
fn pipelined_requests_are_answered_in_their_order_and_a_client_that_never_reads_costs_no_memory() {
    let drill = Drill::start();
    let get = |name: &str| format!("GET /hello/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    block_on(drill.service.save("John", "1990-05-17"));
    let mut pipeline: String = (0..100).map(|number| get(if number % 2 == 0 { "John" } else { "Nobody" })).collect();
    pipeline += "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answers = raw::exchange(drill.service.address, &pipeline);
    let statuses: Vec<&str> = answers.lines().filter_map(|line| line.split("HTTP/1.1 ").nth(1)).map(|rest| &rest[..3]).collect();
    let expected: Vec<&str> = (0..100).map(|number| if number % 2 == 0 { "200" } else { "404" }).chain(["200"]).collect();
    assert_eq!(statuses, expected);

    let before = memory(&drill.service, "VmRSS");
    let flood = get("John").repeat(20_000);
    let floods: Vec<TcpStream> = (0..8).map(|_| never_reads(drill.service.address, &flood)).collect();
    std::thread::sleep(Duration::from_secs(2));
    let after = memory(&drill.service, "VmRSS");
    assert!(after < before + 50 * 1024, "memory went from {before} to {after} KiB");
    drop(floods);
    let record = drill.end();
    measured!(
        "pipelining",
        "101 answers in order; 8 floods that never read: memory {before} to {after} KiB, slowest of others {}",
        ms(record.slowest())
    );
}

/// Sends as much as is taken within a second, and reads nothing.
fn never_reads(to: SocketAddr, bytes: &str) -> TcpStream {
    let mut connection = TcpStream::connect(to).unwrap();
    connection.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    // That it does not take everything is what keeps the memory small.
    let _ = connection.write_all(bytes.as_bytes());
    connection
}
