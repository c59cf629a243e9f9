//! Three times as many requests as can be answered: each is either answered soon or refused soon.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rocket::futures::StreamExt;
use rocket::futures::stream::FuturesUnordered;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::memory::memory;
use super::{DEADLINE, ms, service_on};
use crate::support::{Database, Store, block_on, eventually};

/// The most connections that a proxy in front opens (the chart's DestinationRule).
const CONNECTIONS: usize = 1024;
const LASTS: Duration = Duration::from_secs(6);
const BOUND: Duration = Duration::from_secs(1);

const GET: &str = "GET /hello/John HTTP/1.1\r\nHost: localhost\r\n\r\n";
const PUT: &str = "PUT /hello/John HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n{\"dateOfBirth\":\"1990-05-17\"}";

const MIXED: [&str; 5] = [GET, GET, GET, GET, PUT];

/// Status, whether there is a Retry-After, and the connection for the next request.
type Outcome = io::Result<(u16, bool, TcpStream)>;

#[derive(Default)]
struct Answers {
    answered: Vec<Duration>,
    refused: Vec<Duration>,
    /// Neither answered nor refused, with the first reasons.
    other: Vec<String>,
    /// Not sent, because every connection waited for an answer.
    held_back: usize,
    /// The longest pause of the client itself, which is due to the machine and not to the service.
    pause: Duration,
}

impl Answers {
    /// The average latency with this many requests always in flight (Little's law).
    fn expected(&self, connections: usize) -> Duration {
        LASTS.mul_f64(connections as f64 / self.answered.len() as f64)
    }
}

/// Sends requests at a steady `rate`, regardless of earlier answers (open loop), on at most `connections`. Hand-written, because
/// a client that costs more than the service would measure itself.
async fn offer(service: SocketAddr, rate: f64, lasts: Duration, connections: usize, requests: &[&'static str]) -> Answers {
    let mut answers = Answers::default();
    let (mut idle, mut waiting) = (Vec::new(), FuturesUnordered::new());
    let (started, mut sent) = (Instant::now(), 0_usize);
    let mut looked = started;
    let mut ticks = tokio::time::interval(Duration::from_millis(2));
    let note = |answers: &mut Answers, idle: &mut Vec<TcpStream>, took, outcome: Outcome| match outcome {
        Ok((200 | 204, _, connection)) => {
            answers.answered.push(took);
            idle.push(connection);
        }
        Ok((503, true, connection)) => {
            answers.refused.push(took);
            idle.push(connection);
        }
        Ok((status, retry_after, _)) => answers.other.push(format!("{status}, Retry-After: {retry_after}")),
        Err(error) => answers.other.push(error.to_string()),
    };
    while started.elapsed() < lasts || !waiting.is_empty() {
        tokio::select! {
            _ = ticks.tick(), if started.elapsed() < lasts => {
                answers.pause = answers.pause.max(looked.elapsed());
                looked = Instant::now();
                let due = (started.elapsed().as_secs_f64() * rate) as usize;
                for number in sent..due {
                    if waiting.len() >= connections {
                        answers.held_back += 1;
                        continue;
                    }
                    let (connection, request) = (idle.pop(), requests[number % requests.len()]);
                    waiting.push(async move {
                        let begun = Instant::now();
                        let outcome = ask(service, connection, request).await;
                        (begun.elapsed(), outcome)
                    });
                }
                sent = due;
            }
            Some((took, outcome)) = waiting.next(), if !waiting.is_empty() => note(&mut answers, &mut idle, took, outcome),
        }
    }
    answers
}

async fn ask(service: SocketAddr, connection: Option<TcpStream>, request: &str) -> Outcome {
    let mut connection = match connection {
        Some(connection) => connection,
        None => TcpStream::connect(service).await?,
    };
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(2048);
    let (head, length) = loop {
        if connection.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = std::str::from_utf8(&answer).map_err(io::Error::other)?;
        if let Some(end) = text.find("\r\n\r\n") {
            let head = text[..end].to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).map_or("0", |rest| rest.lines().next().unwrap_or_default());
            break (head.clone(), end + 4 + length.parse::<usize>().map_err(io::Error::other)?);
        }
    };
    while answer.len() < length {
        connection.read_buf(&mut answer).await?;
    }
    let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok((status, head.contains("\r\nretry-after: "), connection))
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

#[test]
#[ignore = "a drill: just drills"]
fn at_three_times_the_capacity_answers_stay_prompt_memory_stays_bounded_and_it_recovers_at_once() {
    let database = Database::new(Store::PostgreSql).migrated();
    let directory = TempDir::new().unwrap();
    let service = service_on(&directory, &database.url(), "");
    block_on(service.save("John", "1990-05-17"));
    let calm = memory(&service, "VmRSS");
    // More than can be answered, so that the number of answers is the capacity.
    let most = block_on(offer(service.address, 50_000.0, Duration::from_secs(3), 64, &MIXED));
    let capacity = most.answered.len() as f64 / 3.0;
    assert!(most.held_back > 0, "the capacity was not reached");
    // As many as it can answer in a quarter of a second: 1024 connections for a service that answers 4,096 a second.
    let connections = ((capacity / 4.0) as usize).clamp(64, CONNECTIONS);
    let over = block_on(offer(service.address, 3.0 * capacity, LASTS, connections, &MIXED));
    let busy = memory(&service, "VmRSS");
    let after = Instant::now();
    assert_eq!(block_on(service.get("/hello/John")).status, 200);
    let recovered = after.elapsed();
    let (answered, refused) = (percentile(&over.answered, 99), percentile(&over.refused, 99));
    measured!(
        "3x overload",
        "capacity {capacity:.0}/s (client on the same cores); {} answered, p99 {}; {} refused, p99 {}; {} held back by {connections} busy connections, expected {}, longest pause of the client {}; memory {calm} to {busy} KiB; next request after it {}",
        over.answered.len(),
        ms(answered),
        over.refused.len(),
        ms(refused),
        over.held_back,
        ms(over.expected(connections)),
        ms(over.pause),
        ms(recovered)
    );
    assert!(over.other.is_empty(), "{:?}", &over.other[..over.other.len().min(5)]);
    assert!(over.answered.len() as f64 > capacity * LASTS.as_secs_f64() / 3.0, "it answers less than a third of what it can");
    let bound = 3 * over.expected(connections) + over.pause;
    assert!(answered < bound && refused < bound, "p99 of answers {answered:?}, of refusals {refused:?}, of {bound:?}");
    assert!(busy < calm + 100 * 1024, "memory went from {calm} to {busy} KiB");
    assert!(recovered < BOUND, "the next request took {recovered:?}");
}

#[test]
#[ignore = "a drill: just drills"]
fn while_the_database_stands_still_every_request_is_refused_in_time_and_none_piles_up() {
    let database = Database::new(Store::PostgreSql).migrated();
    let directory = TempDir::new().unwrap();
    let service = service_on(&directory, &database.url(), "max_connections=2,");
    block_on(service.save("John", "1990-05-17"));
    let calm = memory(&service, "VmRSS");
    let lock = block_on(database.lock());
    let over = block_on(offer(service.address, 400.0, LASTS, CONNECTIONS, &MIXED));
    let busy = memory(&service, "VmRSS");
    drop(lock);
    let freed = Instant::now();
    let answers = async || service.get("/hello/John").await.status == 200;
    block_on(eventually(Duration::from_secs(10), "it recovers", answers));
    let refused = over.refused.iter().max().copied().unwrap_or_default();
    assert!(over.answered.is_empty() && over.other.is_empty(), "{:?}", over.other.first());
    assert!(refused < 3 * DEADLINE, "a request waited {refused:?}");
    assert!(busy < calm + 100 * 1024, "memory went from {calm} to {busy} KiB");
    measured!(
        "database stands still",
        "{} refused, slowest {}; memory {calm} to {busy} KiB; recovered in {}",
        over.refused.len(),
        ms(refused),
        ms(freed.elapsed())
    );
}
