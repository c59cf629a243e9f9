//! A steady load of saves and lookups, and a record of every request: when, how it ended, how long it took.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use reqwest::{Method, RequestBuilder};
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::support::{Client, JSON, birthday, block_on, name};

/// Names that are saved before the load begins; lookups ask for these.
const KNOWN: usize = 20;
/// The number of names that each saver saves in turn.
const NAMES_OF_A_SAVER: usize = 25;
/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Save,
    Lookup,
}

pub struct Event {
    pub kind: Kind,
    pub sent: Instant,
    pub took: Duration,
    /// The status, or the kind of connection failure.
    pub outcome: Result<u16, String>,
    pub from_replica: bool,
}

impl Event {
    pub fn succeeded(&self) -> bool {
        matches!(self.outcome, Ok(200 | 204))
    }
}

/// What was promised: for each name, the latest date whose save was acknowledged.
pub type Acknowledged = BTreeMap<String, NaiveDate>;

#[derive(Default)]
pub struct Record {
    pub events: Vec<Event>,
    pub acknowledged: Acknowledged,
}

pub struct Load {
    record: Arc<Mutex<Record>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    /// Starts `savers` clients that save and as many that look up, each with `pause` between an answer and the next request.
    pub fn start(service: SocketAddr, savers: usize, pause: Duration) -> Self {
        let (record, stop) = (Arc::new(Mutex::new(Record::default())), Arc::new(AtomicBool::new(false)));
        let (into, until) = (record.clone(), stop.clone());
        let (ready, begun) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = Sender { client: Client::with_pool(service), record: into };
                for number in 0..KNOWN {
                    assert!(client.save(&name("Known", number), next_day()).await, "the service has to work at first");
                }
                ready.send(()).unwrap();
                let clients = (0..2 * savers).map(async |number| {
                    let first = number / 2 * NAMES_OF_A_SAVER;
                    for step in (0..).take_while(|_| !until.load(Ordering::Relaxed)) {
                        if number % 2 == 0 {
                            client.save(&name("Saver", first + step % NAMES_OF_A_SAVER), next_day()).await;
                        } else {
                            client.look_up(&name("Known", step % KNOWN)).await;
                        }
                        tokio::time::sleep(pause).await;
                    }
                });
                rocket::futures::future::join_all(clients).await;
            });
        });
        begun.recv().expect("the load begins");
        Self { record, stop, thread: Some(thread) }
    }

    /// Waits until requests of this kind succeed again; returns the time it took.
    pub fn wait_for(&self, kind: Kind, since: Instant, limit: Duration) -> Duration {
        let succeeded = |event: &&Event| event.kind == kind && event.sent >= since && event.succeeded();
        while self.record.lock().unwrap().events.iter().filter(succeeded).count() < 3 {
            assert!(since.elapsed() < limit, "no {kind:?} succeeded within {limit:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        since.elapsed()
    }

    /// Stops the load, and waits until all requests sent are answered.
    pub fn stop(mut self) -> Record {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().expect("the load ran to its end");
        std::mem::take(&mut self.record.lock().unwrap())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Every save has its own date, later than all before it, so that the date that is read back identifies the save.
fn next_day() -> NaiveDate {
    static DAYS: AtomicI32 = AtomicI32::new(1);
    NaiveDate::from_num_days_from_ce_opt(DAYS.fetch_add(1, Ordering::Relaxed)).unwrap()
}

struct Sender {
    client: Client,
    record: Arc<Mutex<Record>>,
}

impl Sender {
    async fn save(&self, name: &str, born: NaiveDate) -> bool {
        let request = self.client.request(Method::PUT, &format!("/hello/{name}"));
        let request = request.header(JSON.0, JSON.1).body(birthday(&born.to_string()));
        let saved = self.send(Kind::Save, request).await == Ok(204);
        if saved {
            self.record.lock().unwrap().acknowledged.insert(name.to_owned(), born);
        }
        saved
    }

    async fn look_up(&self, name: &str) {
        let request = self.client.request(Method::GET, &format!("/hello/{name}"));
        // Known names stay known.
        assert_ne!(self.send(Kind::Lookup, request).await, Ok(404), "{name} is lost");
    }

    async fn send(&self, kind: Kind, request: RequestBuilder) -> Result<u16, String> {
        let sent = Instant::now();
        let answer = self.client.try_send(request.timeout(PATIENCE)).await;
        let took = sent.elapsed();
        let from_replica = answer.as_ref().is_ok_and(|answer| answer.header("birthday-source").is_some());
        let outcome = answer.map(|answer| answer.status).map_err(|error| match error {
            error if error.is_timeout() => "no answer".to_owned(),
            error if error.is_connect() => "not connected".to_owned(),
            _ => "connection broken".to_owned(),
        });
        self.record.lock().unwrap().events.push(Event { kind, sent, took, outcome: outcome.clone(), from_replica });
        outcome
    }
}

impl Record {
    /// The kinds of failures, and how often each occurred.
    pub fn failures(&self) -> BTreeMap<String, usize> {
        let mut failures = BTreeMap::new();
        for event in self.events.iter().filter(|event| !event.succeeded()) {
            let how = match &event.outcome {
                Ok(status) => format!("{:?} {status}", event.kind),
                Err(reason) => format!("{:?} {reason}", event.kind),
            };
            *failures.entry(how).or_default() += 1;
        }
        failures
    }

    pub fn slowest(&self) -> Duration {
        self.events.iter().map(|event| event.took).max().unwrap_or_default()
    }

    /// The longest time between two successes.
    pub fn gap(&self, kind: Kind) -> Duration {
        let mut ends: Vec<Instant> = self
            .events
            .iter()
            .filter(|event| event.kind == kind && event.succeeded())
            .map(|event| event.sent + event.took)
            .collect();
        ends.sort_unstable();
        ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// Fails if an acknowledged save is neither there nor replaced by a later one.
    pub fn expect_all_kept(&self, database_url: &str) {
        expect_all_kept(&self.acknowledged, &kept(database_url));
    }
}

pub fn expect_all_kept(acknowledged: &Acknowledged, kept: &Acknowledged) {
    assert!(!acknowledged.is_empty(), "nothing was acknowledged, so nothing is proved");
    let lost: Vec<_> = acknowledged.iter().filter(|(name, born)| kept.get(*name).is_none_or(|found| found < born)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged saves are lost: {lost:?}", lost.len(), acknowledged.len());
}

/// All rows of a database.
pub fn kept(database_url: &str) -> Acknowledged {
    let all = "select username, date_of_birth from birthdays";
    let rows: Vec<(String, NaiveDate)> = block_on(async {
        if database_url.starts_with("sqlite") {
            sqlx::query_as(all).fetch_all(&mut SqliteConnection::connect(database_url).await.unwrap()).await.unwrap()
        } else {
            sqlx::query_as(all).fetch_all(&mut PgConnection::connect(database_url).await.unwrap()).await.unwrap()
        }
    });
    rows.into_iter().collect()
}
