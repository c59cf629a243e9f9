//! Three times as many requests as can be answered: what is answered is answered soon, the rest is refused soon.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::hostile_clients::memory;
use crate::load::client;
use crate::report::{measured, ms};
use crate::service_on;
use crate::support::{Database, Store, birthday, block_on};

/// Connections at the most, as a proxy in front opens them (the chart's DestinationRule).
const CONNECTIONS: usize = 1024;
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

/// Requests at a steady `rate`, whatever becomes of those before (open loop).
async fn offer(service: SocketAddr, rate: f64, lasts: Duration) -> Answers {
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
                        let request = if number.is_multiple_of(5) {
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
fn at_three_times_the_capacity_answers_stay_prompt_memory_stays_bounded_and_it_recovers_at_once() {
    let _alone = crate::alone();
    let database = Database::new(Store::PostgreSql).migrated();
    let directory = TempDir::new().unwrap();
    let service = service_on(&directory, &database.url(), "");
    block_on(service.save("John", "1990-05-17"));
    let calm = memory(&service);
    // More than can be answered, so that what is answered is what can be.
    let most = block_on(offer(service.address, 50_000.0, Duration::from_secs(3)));
    let capacity = most.answered.len() as f64 / 3.0;
    assert!(most.held_back > 0, "the capacity was not reached");
    let over = block_on(offer(service.address, 3.0 * capacity, LASTS));
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

/// The database is what is slow: requests pile up in the service, and those that would wait too long are refused at once.
#[test]
fn a_database_three_times_too_slow_is_met_with_refusals_and_not_with_a_pile_of_requests() {
    let _alone = crate::alone();
    let database = Database::new(Store::PostgreSql).migrated();
    let directory = TempDir::new().unwrap();
    let service = service_on(&directory, &database.url(), "max_connections=2,");
    block_on(service.save("John", "1990-05-17"));
    let calm = memory(&service);
    let lock = block_on(database.lock());
    let over = block_on(offer(service.address, 400.0, LASTS));
    let busy = memory(&service);
    drop(lock);
    let freed = Instant::now();
    while block_on(service.get("/hello/John")).status != 200 {
        assert!(freed.elapsed() < Duration::from_secs(10), "it does not recover");
    }
    let refused = over.refused.iter().max().copied().unwrap_or_default();
    assert!(over.answered.is_empty() && over.other.is_empty(), "{:?}", over.other.first());
    assert!(refused < 3 * crate::DEADLINE, "a request waited {refused:?}");
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
