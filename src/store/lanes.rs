//! The lanes: tasks that answer lookups and writes from their queues, each over a session of its own.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use rocket::futures::FutureExt;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::batch::{Lane, Queue};
use super::metrics::Metrics;
use super::outage::Fault;
use super::session::{Delete, Endpoint, Find, Save, SaveIf, Server, Session};
use super::{Answer, Condition, Found, StoreError, Write};
use crate::birthday::{DateOfBirth, Username};

type LookupQueue = Arc<Queue<Username, Answer<Option<Found>>>>;
type WriteQueue = Arc<Queue<Write, Answer<bool>>>;

pub struct Lanes {
    lookups: LookupQueue,
    writes: WriteQueue,
    /// What a batch may take altogether: retry and replica included.
    limit: Duration,
    metrics: Metrics,
    pub running: JoinSet<()>,
}

impl Lanes {
    pub fn new(lookups: LookupQueue, writes: WriteQueue, limit: Duration, metrics: Metrics) -> Self {
        Self { lookups, writes, limit, metrics, running: JoinSet::new() }
    }

    /// Starts as many lanes as the queues expect, and the watch on the credentials.
    pub fn start<S: Server>(&mut self, primary: Arc<Endpoint<S>>, replica: Option<Arc<Endpoint<S>>>) {
        for _ in 0..self.lookups.lanes() {
            let (queue, primary, replica) = (self.lookups.clone(), primary.clone(), replica.clone());
            let (limit, metrics) = (self.limit, self.metrics.clone());
            self.running.spawn(restarted_after_a_panic(move || {
                let (primary, replica) = (Session::new(primary.clone()), replica.clone().map(Session::new));
                look_up(Lane::new(queue.clone()), primary, replica, limit, metrics.clone())
            }));
        }
        for _ in 0..self.writes.lanes() {
            let (queue, primary, limit, metrics) = (self.writes.clone(), primary.clone(), self.limit, self.metrics.clone());
            self.running.spawn(restarted_after_a_panic(move || {
                write(Lane::new(queue.clone()), Session::new(primary.clone()), limit, metrics.clone())
            }));
        }
        let metrics = self.metrics.clone();
        tokio::spawn(primary.credentials.clone().watch(move || {
            metrics.credential_reloads.inc();
            primary.renew();
            if let Some(replica) = &replica {
                replica.renew();
            }
        }));
    }
}

/// Requests that a lane had taken when it panicked are answered as unavailable; the others must not wait for a lane that is gone.
async fn restarted_after_a_panic<F: Future<Output = ()>>(lane: impl Fn() -> F) {
    while AssertUnwindSafe(lane()).catch_unwind().await.is_err() {
        tracing::error!("a database lane panicked and is started again");
    }
}

async fn look_up<S: Server>(
    mut lane: Lane<Username, Answer<Option<Found>>>,
    mut primary: Session<S>,
    mut replica: Option<Session<S>>,
    limit: Duration,
    metrics: Metrics,
) {
    primary.open().await;
    loop {
        let mut batch = tokio::select! {
            biased;
            batch = lane.next() => match batch {
                Some(batch) => batch,
                None => break,
            },
            () = primary.stale() => {
                primary.open().await;
                continue;
            }
        };
        metrics.lookups.observe(batch.requests.len() as f64);
        let until = Instant::now() + limit;
        let names = Find(std::mem::take(&mut batch.requests));
        let outcome = primary.run(&names, until).await;
        match (outcome, &mut replica) {
            (Ok(rows), _) => batch.answer(known(&names, rows, false)),
            (Err(_), Some(replica)) => match replica.run(&names, until).await {
                Ok(rows) => {
                    metrics.replica_answers.inc_by(rows.len() as u64);
                    // The replica may lag: a name that it lacks may be known by now.
                    batch.answer(known(&names, rows, true).map(|answer| match answer {
                        Ok(None) => Err(StoreError::Unavailable),
                        answer => answer,
                    }));
                }
                Err(_) => batch.answer(names.0.iter().map(|_| Err(StoreError::Unavailable))),
            },
            (Err(_), None) => batch.answer(names.0.iter().map(|_| Err(StoreError::Unavailable))),
        }
    }
    primary.close().await;
    if let Some(mut replica) = replica {
        replica.close().await;
    }
}

/// Matches rows to names, whatever order the rows came in.
fn known(names: &Find, rows: Vec<(String, NaiveDate)>, from_replica: bool) -> impl Iterator<Item = Answer<Option<Found>>> {
    let rows: HashMap<String, NaiveDate> = rows.into_iter().collect();
    let found = move |date: &NaiveDate| Found { date_of_birth: DateOfBirth::from_kept(*date), from_replica };
    names.0.iter().map(move |name| Ok(rows.get(name.as_str()).map(found)))
}

async fn write<S: Server>(mut lane: Lane<Write, Answer<bool>>, mut primary: Session<S>, limit: Duration, metrics: Metrics) {
    primary.open().await;
    loop {
        let mut batch = tokio::select! {
            biased;
            batch = lane.next() => match batch {
                Some(batch) => batch,
                None => break,
            },
            () = primary.stale() => {
                primary.open().await;
                continue;
            }
        };
        metrics.writes.observe(batch.requests.len() as f64);
        let until = Instant::now() + limit;
        let mut answers = Vec::with_capacity(batch.requests.len());
        let mut saves = Save(Vec::with_capacity(batch.requests.len()));
        // Saves that stand together share a commit; a delete or a conditional save among them keeps its place.
        for request in std::mem::take(&mut batch.requests) {
            match request {
                Write::Save(name, born, Condition::None) => saves.0.push((name, born)),
                Write::Save(name, born, condition) => {
                    save(&mut primary, &mut saves, &mut answers, until).await;
                    answers.push(primary.run(&SaveIf(name, born, condition), until).await.map_err(meaning));
                }
                Write::Delete(name) => {
                    save(&mut primary, &mut saves, &mut answers, until).await;
                    answers.push(primary.run(&Delete(name), until).await.map_err(meaning));
                }
            }
        }
        save(&mut primary, &mut saves, &mut answers, until).await;
        batch.answer(answers);
    }
    primary.close().await;
}

/// Saves what is gathered and appends an answer for each. When one row is refused, the others are saved one by one.
async fn save<S: Server>(primary: &mut Session<S>, saves: &mut Save, answers: &mut Vec<Answer<bool>>, until: Instant) {
    if saves.0.is_empty() {
        return;
    }
    match primary.run(saves, until).await {
        Err(Fault::Row(_)) if saves.0.len() > 1 => {
            for row in saves.0.drain(..) {
                answers.push(primary.run(&Save(vec![row]), until).await.map(|()| true).map_err(meaning));
            }
        }
        outcome => answers.extend(saves.0.drain(..).map(|_| outcome.clone().map(|()| true).map_err(meaning))),
    }
}

fn meaning(fault: Fault) -> StoreError {
    match fault {
        Fault::Row(_) => StoreError::Refused,
        _ => StoreError::Unavailable,
    }
}
