//! Clients that drive up the service's memory, against the limit of a pod and of Compose: 128 MiB.
//!
//! Run them against the delivered binary: `BIRTHDAY_API=$PWD/target/release/birthday-api just drills memory`.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::support::{Service, block_on, command, eventually, raw};

const SERVED: Duration = Duration::from_secs(60);
/// In KiB.
const LIMIT: usize = 128 * 1024;
const GET: &str = "GET /hello/John HTTP/1.1\r\nHost: localhost\r\n\r\n";
const DOCS: &str = "GET /docs HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Resident memory in KiB: `VmRSS` now, `VmHWM` at its highest.
fn memory(service: &Service, kind: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", service.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(kind)).expect("it runs");
    line.trim_matches([':', '\t', ' ']).trim_end_matches(" kB").parse().unwrap()
}

/// Expects the service to survive and to answer others while the connections that `attack` returns stay open.
fn expect_to_live(what: &str, attack: impl FnOnce(SocketAddr) -> Vec<TcpStream>) {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let directory = TempDir::new().unwrap();
    let service = Service::start(&mut command(directory.path()));
    block_on(service.save("John", "1990-05-17"));
    let before = memory(&service, "VmHWM");
    let held = attack(service.address);
    block_on(eventually(SERVED, "another client is served", async || {
        let answer = service.try_send(service.request(reqwest::Method::GET, "/hello/John")).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }));
    let peak = memory(&service, "VmHWM");
    assert!(peak < LIMIT, "{what}: {peak} KiB");
    measured!("memory", "{what}: {before} to {peak} KiB, {} connections held at the end", held.len());
}

/// Connections that have sent `bytes`, or as much of them as the service accepts.
fn open(to: SocketAddr, number: usize, bytes: &str) -> Vec<TcpStream> {
    let open = |_| {
        let mut connection = TcpStream::connect(to).unwrap();
        connection.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let _ = connection.write_all(bytes.as_bytes());
        connection
    };
    (0..number).map(open).collect()
}

/// The first bytes of an answer; an error if the service closed the connection first.
fn beginning(connection: &mut TcpStream) -> std::io::Result<[u8; 12]> {
    let mut beginning = [0; 12];
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    connection.read_exact(&mut beginning).map(|()| beginning)
}

#[test]
#[ignore = "a drill: just drills"]
fn four_hundred_half_heads_of_400_kb() {
    let head = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Huge: {}", "x".repeat(400_000));
    expect_to_live("400 half heads of 400 KB", |to| open(to, 400, &head));
}

#[test]
#[ignore = "a drill: just drills"]
fn ten_thousand_connections_kept_after_one_request() {
    expect_to_live("10,000 connections kept after one GET", |to| {
        let asked = |_| {
            let mut connection = raw::send(to, GET);
            assert_eq!(&beginning(&mut connection).unwrap(), b"HTTP/1.1 200");
            connection
        };
        (0..10_000).map(asked).collect()
    });
}

#[test]
#[ignore = "a drill: just drills"]
fn five_thousand_connections_with_five_pages_that_they_do_not_read() {
    expect_to_live("5,000 connections with five /docs each, unread", |to| open(to, 5_000, &DOCS.repeat(5)));
}

#[test]
#[ignore = "a drill: just drills"]
fn ten_seconds_of_five_pages_and_a_reset() {
    expect_to_live("five /docs and a reset, for 10 s", |to| {
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            // Data that has arrived but was not read turns the close into a reset.
            beginning(&mut raw::send(to, &DOCS.repeat(5))).unwrap();
        }
        Vec::new()
    });
}

#[test]
#[ignore = "a drill: just drills"]
fn five_thousand_requests_at_once() {
    expect_to_live("5,000 GETs at once", |to| {
        let mut burst = open(to, 5_000, GET);
        // More than the store accepts at once may be rejected, and clients that wait for long may have to make room.
        let answers = burst.iter_mut().filter_map(|connection| beginning(connection).ok()).collect::<Vec<_>>();
        let of = |status: &[u8; 12]| answers.iter().filter(|answer| *answer == status).count();
        measured!("memory", "of 5,000 at once {} are 200 and {} are 503", of(b"HTTP/1.1 200"), of(b"HTTP/1.1 503"));
        assert!(of(b"HTTP/1.1 200") > 0);
        burst
    });
}
