//! Three times as many requests as can be answered: what is answered is answered soon, the rest is refused soon.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::hostile_clients::memory;
use super::load::client;
use super::proxy::{Fault, Proxy};
use super::report::{measured, ms};
use super::{DEADLINE, database_address, service_on, through};
use crate::support::{Database, Store, birthday, block_on};

/// Connections at the most, as a proxy in front opens them (the chart's DestinationRule).
const CONNECTIONS: usize = 1024;
/// What one statement carries (src/store/batch.rs).
const LARGEST_BATCH: f64 = 256.0;
const LASTS: Duration = Duration::from_secs(6);
const BOUND: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Answers {
    answered: Vec<Duration>,
    refused: Vec<Duration>,
    /// Neither, with the first reasons.
    other: Vec<String>,
    /// Not sent, because every connection waited for an answer.
    held_back: usize,
}

/// Requests at a steady `rate`, whatever becomes of those before (open loop). One of `saves` is a PUT.
async fn offer(service: SocketAddr, rate: f64, lasts: Duration, saves: usize) -> Answers {
    let (client, open) = (client(), AtomicUsize::new(0));
    let mut answers = Answers::default();
    let mut waiting = rocket::futures::stream::FuturesUnordered::new();
    let (started, mut sent) = (Instant::now(), 0_usize);
    let mut ticks = tokio::time::interval(Duration::from_millis(2));
    let note = |answers: &mut Answers, (took, outcome): (Duration, Result<(u16, bool), String>)| match outcome {
        Ok((200 | 204, _)) => answers.answered.push(took),
        Ok((503, true)) => answers.refused.push(took),
        other => answers.other.push(format!("{other:?}")),
    };
    while started.elapsed() < lasts {
        tokio::select! {
            _ = ticks.tick() => {
                let due = (started.elapsed().as_secs_f64() * rate) as usize;
                for number in sent..due {
                    if open.load(Ordering::Relaxed) >= CONNECTIONS {
                        answers.held_back += 1;
                        continue;
                    }
                    open.fetch_add(1, Ordering::Relaxed);
                    let (client, open) = (&client, &open);
                    waiting.push(async move {
                        let begun = Instant::now();
                        let url = format!("http://{service}/hello/John");
                        let request = if number % saves == 1 {
                            client.put(url).header("Content-Type", "application/json").body(birthday("1990-05-17"))
                        } else {
                            client.get(url)
                        };
                        let answer = async {
                            let answer = request.send().await?;
                            let outcome = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
                            answer.bytes().await.map(|_| outcome)
                        };
                        let outcome = answer.await.map_err(|error: reqwest::Error| error.to_string());
                        open.fetch_sub(1, Ordering::Relaxed);
                        (begun.elapsed(), outcome)
                    });
                }
                sent = due;
            }
            Some(done) = rocket::futures::StreamExt::next(&mut waiting), if !waiting.is_empty() => note(&mut answers, done),
        }
    }
    while let Some(done) = rocket::futures::StreamExt::next(&mut waiting).await {
        note(&mut answers, done);
    }
    answers
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

#[test]
#[ignore = "a drill: tests/drills/run"]
fn at_three_times_the_capacity_answers_stay_prompt_memory_stays_bounded_and_it_recovers_at_once() {
    let _alone = super::alone();
    let database = Database::new(Store::PostgreSql).migrated();
    let directory = TempDir::new().unwrap();
    let service = service_on(&directory, &database.url(), "");
    block_on(service.save("John", "1990-05-17"));
    let calm = memory(&service);
    // More than can be answered, so that what is answered is what can be.
    let most = block_on(offer(service.address, 50_000.0, Duration::from_secs(3), 5));
    let capacity = most.answered.len() as f64 / 3.0;
    assert!(most.held_back > 0, "the capacity was not reached");
    let over = block_on(offer(service.address, 3.0 * capacity, LASTS, 5));
    let busy = memory(&service);
    let after = Instant::now();
    assert_eq!(block_on(service.get("/hello/John")).status, 200);
    let recovered = after.elapsed();
    let (answered, refused) = (percentile(&over.answered, 99), percentile(&over.refused, 99));
    measured(
        "3x overload",
        &format!(
            "capacity {capacity:.0}/s (client on the same cores); {} answered, p99 {}; {} refused, p99 {}; {} held back by {CONNECTIONS} busy connections; memory {calm} to {busy} KiB; next request after it {}",
            over.answered.len(),
            ms(answered),
            over.refused.len(),
            ms(refused),
            over.held_back,
            ms(recovered)
        ),
    );
    assert!(over.other.is_empty(), "{:?}", &over.other[..over.other.len().min(5)]);
    assert!(over.answered.len() as f64 > capacity * LASTS.as_secs_f64() / 3.0, "it answers less than a third of what it can");
    assert!(answered < BOUND && refused < BOUND, "p99 of answers {answered:?}, of refusals {refused:?}");
    assert!(busy < calm + 100 * 1024, "memory went from {calm} to {busy} KiB");
    assert!(recovered < BOUND, "the next request took {recovered:?}");
}

/// The way to the database is long, so that its one lane for lookups answers a batch every 300 ms and no more.
#[test]
#[ignore = "a drill: tests/drills/run"]
fn at_three_times_what_the_database_can_answer_no_answer_takes_a_second_and_the_rest_is_refused_soon() {
    let _alone = super::alone();
    let database = Database::new(Store::PostgreSql).migrated();
    let (directory, proxy) = (TempDir::new().unwrap(), Proxy::start(database_address(&database.url())));
    let service = service_on(&directory, &through(&proxy, &database.url()), "max_connections=2,");
    block_on(service.save("John", "1990-05-17"));
    assert_eq!(block_on(service.get("/hello/John")).status, 200);
    proxy.set(Fault::Delay(Duration::from_millis(150)));
    let capacity = LARGEST_BATCH / 0.3;
    let over = block_on(offer(service.address, 3.0 * capacity, LASTS, usize::MAX));
    proxy.set(Fault::None);
    let (answered, refused) = (percentile(&over.answered, 99), percentile(&over.refused, 99));
    let slowest = over.answered.iter().chain(&over.refused).max().copied().unwrap_or_default();
    measured(
        "3x what the database can answer",
        &format!(
            "{} answered, p99 {}; {} refused, p99 {}; slowest of all {}; {} held back by {CONNECTIONS} busy connections",
            over.answered.len(),
            ms(answered),
            over.refused.len(),
            ms(refused),
            ms(slowest),
            over.held_back,
        ),
    );
    assert!(over.other.is_empty(), "{:?}", &over.other[..over.other.len().min(5)]);
    assert!(over.refused.len() > over.answered.len() / 2, "it was not too much");
    assert!(over.answered.len() as f64 > capacity * LASTS.as_secs_f64() / 2.0, "it answers less than half of what it can");
    assert!(answered < BOUND && refused < BOUND, "p99 of answers {answered:?}, of refusals {refused:?}");
    assert!(slowest < DEADLINE, "a request waited {slowest:?}");
}

#[test]
#[ignore = "a drill: tests/drills/run"]
fn while_the_database_stands_still_every_request_is_refused_in_time_and_none_piles_up() {
    let _alone = super::alone();
    let database = Database::new(Store::PostgreSql).migrated();
    let directory = TempDir::new().unwrap();
    let service = service_on(&directory, &database.url(), "max_connections=2,");
    block_on(service.save("John", "1990-05-17"));
    let calm = memory(&service);
    let lock = block_on(database.lock());
    let over = block_on(offer(service.address, 400.0, LASTS, 5));
    let busy = memory(&service);
    drop(lock);
    let freed = Instant::now();
    while block_on(service.get("/hello/John")).status != 200 {
        assert!(freed.elapsed() < Duration::from_secs(10), "it does not recover");
    }
    let refused = over.refused.iter().max().copied().unwrap_or_default();
    assert!(over.answered.is_empty() && over.other.is_empty(), "{:?}", over.other.first());
    assert!(refused < 3 * DEADLINE, "a request waited {refused:?}");
    assert!(busy < calm + 100 * 1024, "memory went from {calm} to {busy} KiB");
    measured(
        "database stands still",
        &format!(
            "{} refused, slowest {}; memory {calm} to {busy} KiB; recovered in {}",
            over.refused.len(),
            ms(refused),
            ms(freed.elapsed())
        ),
    );
}
