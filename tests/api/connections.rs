//! No client can block the service by sending nothing, or half a request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Service, binary, birthday, command, command_by, directory, raw};

const HEAD: &str = "PUT /hello/Slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n";
const GET: &str = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The limits of `src/http/server.rs`, and how much later a busy machine may enforce them.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
const NEXT_REQUEST: Duration = Duration::from_secs(30);
const SLACK: Duration = Duration::from_secs(20);

/// Sends `bytes` and nothing more; returns all that comes back, and when the connection closed.
fn stall(to: SocketAddr, bytes: &str, limit: Duration) -> (String, Duration) {
    let started = Instant::now();
    let answer = raw::rest(raw::send(to, bytes), limit + SLACK);
    (answer, started.elapsed())
}

/// Expects an answer on a connection that stays open.
fn expect_answer(connection: &mut TcpStream) {
    connection.set_read_timeout(Some(SLACK)).unwrap();
    let mut answer = [0; 1024];
    let length = connection.read(&mut answer).unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer[..length]));
}

/// Sends requests one after the other on one connection, for longer than an idle connection may stay open.
fn steady(to: SocketAddr) {
    let mut connection = TcpStream::connect(to).unwrap();
    for _ in 0..5 {
        connection.write_all(GET.as_bytes()).unwrap();
        expect_answer(&mut connection);
        std::thread::sleep(Duration::from_secs(3));
    }
}

#[tokio::test]
async fn slow_and_silent_connections_are_ended_while_others_are_served() {
    let directory = directory();
    let service = Service::start(&mut command(directory.path()));
    let to = service.address;
    let on_a_thread = |bytes: String, limit| tokio::task::spawn_blocking(move || stall(to, &bytes, limit));

    let silent =
        ["", "PUT /hel", &HEAD[..40], &format!("{HEAD}{{\"date"), HEAD].map(|bytes| on_a_thread(bytes.to_owned(), FIRST_REQUEST));
    let cut = HEAD.replace("/Slow", "/Cut").replace(": 28", ": 29") + &birthday("1990-05-17");
    let late = [format!("{HEAD}{{\"dateOfBirth\":\"1990"), cut].map(|bytes| on_a_thread(bytes, FIRST_REQUEST));
    let idle = on_a_thread(GET.to_owned(), NEXT_REQUEST);
    let steady = tokio::task::spawn_blocking(move || steady(to));

    let started = Instant::now();
    while started.elapsed() < FIRST_REQUEST {
        service.save("Quick", "1990-05-17").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    for stalled in silent {
        let (answer, after) = stalled.await.unwrap();
        assert!(!answer.contains("HTTP/1.1 2"), "{answer}");
        assert!(after >= FIRST_REQUEST / 2, "ended after {after:?} already");
    }
    for late in late {
        let (answer, after) = late.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("/docs#request-timeout"), "{answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
        assert!(after >= Duration::from_secs(4), "the deadline of a request is 5 s, not {after:?}");
    }
    steady.await.unwrap();
    let (answer, after) = idle.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(after >= NEXT_REQUEST / 2, "an idle connection may be used again for a while: {after:?}");

    service.get("/hello/Slow").await.expect_problem(404, "unknown-username");
    service.get("/hello/Cut").await.expect_problem(404, "unknown-username");
    assert_eq!(service.get("/hello/Quick").await.status, 200);
}

#[tokio::test]
async fn a_body_that_its_client_cuts_off_is_not_saved() {
    let directory = directory();
    let service = Service::start(&mut command(directory.path()));
    let whole = birthday("1990-05-17");
    for (length, sent) in [(28, &whole[..5]), (28, &whole[..27]), (40, &whole[..]), (28, "")] {
        let connection = raw::send(service.address, &HEAD.replace(": 28", &format!(": {length}")));
        (&connection).write_all(sent.as_bytes()).unwrap();
        connection.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = raw::rest(connection, Duration::from_secs(20));
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{length} {sent:?}: {answer}");
    }
    service.get("/hello/Slow").await.expect_problem(404, "unknown-username");
}

#[tokio::test]
async fn what_is_not_http_is_refused_and_the_next_client_is_served() {
    let directory = directory();
    let service = Service::start(&mut command(directory.path()));
    for (bytes, status) in [
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", "HTTP/1.1 400 "),
        ("GET / HTTP/9.9\r\n\r\n", "HTTP/1.1 400 "),
        (&format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(70_000)), "HTTP/1.1 431 "),
        (&format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(200)), "HTTP/1.1 431 "),
    ] {
        let answer = raw::exchange(service.address, bytes);
        assert!(answer.starts_with(status), "{:?}: {answer}", &bytes[..6]);
        assert_eq!(service.get("/livez").await.status, 200);
    }
}

#[test]
#[cfg_attr(target_os = "macos", ignore = "the system's queue holds 128 connections")]
fn a_burst_of_connections_waits_for_a_service_that_is_held_up_and_is_not_rejected() {
    let directory = directory();
    let service = Service::start(&mut command(directory.path()));
    service.signal(Signal::STOP);
    // A client that finds the system's queue full tries again after a second, and after two more: none has to.
    let connect =
        |number| TcpStream::connect_timeout(&service.address, Duration::from_millis(900)).map_err(|error| (number, error));
    let mut burst = (0..900).map(connect).collect::<Result<Vec<_>, _>>().unwrap();
    service.signal(Signal::CONT);
    for mut connection in &burst {
        connection.write_all(GET.as_bytes()).unwrap();
    }
    burst.iter_mut().for_each(expect_answer);
}

#[tokio::test]
async fn at_a_limit_of_64_files_80_silent_clients_stop_no_other() {
    let directory = directory();
    let mut limited = command_by(Path::new("/bin/sh"), directory.path());
    let service = Service::start(limited.args(["-c", "ulimit -n 64; exec \"$0\"", binary().to_str().unwrap()]));
    let silent: Vec<TcpStream> = (0..80).map(|_| TcpStream::connect(service.address).unwrap()).collect();
    let started = Instant::now();
    service.save("Quick", "1990-05-17").await;
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    assert_eq!(service.get("/hello/Quick").await.status, 200);
    drop(silent);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let directory = directory();
    let service = Service::start(&mut command(directory.path()));
    service.save("John", "1990-05-17").await;
    let get = |name: &str| format!("GET /hello/{name} HTTP/1.1\r\nHost: localhost\r\n");
    let pipeline = format!("{}\r\n{}\r\n", get("John"), get("Nobody")).repeat(50) + &get("John") + "Connection: close\r\n\r\n";
    let answers = raw::exchange(service.address, &pipeline);
    let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses.join(" "), "200 404 ".repeat(50) + "200");
}

#[test]
fn a_client_that_closes_its_half_of_the_connection_gets_its_answer() {
    let directory = directory();
    let service = Service::start(&mut command(directory.path()));
    for request in [GET.to_owned(), "GET /livez HTTP/1.0\r\n\r\n".to_owned(), format!("{HEAD}{}", birthday("1990-05-17"))] {
        let connection = raw::send(service.address, &request);
        connection.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = raw::rest(connection, SLACK);
        assert!(answer.starts_with("HTTP/1.1 20") || answer.starts_with("HTTP/1.0 20"), "{request}: {answer}");
    }
}

#[test]
fn a_reader_of_the_log_that_stalls_stops_no_request_and_the_lost_lines_are_counted() {
    let directory = directory();
    // Nothing reads the log after its first line. A pipe buffers 64 KiB, and the service 4,096 lines.
    let stall = |line: &str| {
        while !line.contains("listening on") {
            std::thread::park();
        }
    };
    let service = Service::start_logging(command(directory.path()).env("ROCKET_TELEMETRY", "{access_log=true}"), stall);
    let pipeline = GET.repeat(1000);
    for _ in 0..8 {
        let answers =
            raw::exchange(service.address, &format!("{pipeline}{}", GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")));
        assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 1001);
    }
    let metrics = raw::exchange(service.address, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let lost =
        metrics.lines().find_map(|line| line.strip_prefix("birthday_log_lines_lost_total ")).unwrap().parse::<u64>().unwrap();
    assert!(lost > 1000, "{lost} lines lost");
}

#[test]
fn where_more_clients_come_than_there_are_places_each_is_answered_in_its_turn() {
    let directory = directory();
    let service = Service::start(command(directory.path()).env("ROCKET_HTTP", "{max_connections=20}"));
    // All keep their connection open, before and after their request.
    let mut clients: Vec<TcpStream> = (0..80).map(|_| raw::send(service.address, GET)).collect();
    clients.iter_mut().for_each(expect_answer);
}
