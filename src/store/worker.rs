//! The workers: tasks that take requests from a queue and answer them, each over its own session.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::slice;
use std::sync::Arc;

use chrono::NaiveDate;
use prometheus_client::metrics::histogram::Histogram;
use rocket::futures::FutureExt;
use tokio::time::Instant;

use super::database::{Row, Statement, Write};
use super::error::Kind;
use super::queue::Queue;
use super::session::Session;
use super::{Condition, Found, StoreError};
use crate::birthday::{DateOfBirth, Username};

pub type Answer<T> = Result<T, StoreError>;
pub type Requests<R> = Queue<R, Answer<<R as Request>::Reply>>;

/// A kind of request that workers answer.
pub trait Request: Sized + Send {
    type Reply: Send;

    /// An answer for each request, in the same order, before `until`.
    fn answer(worker: &mut Worker, batch: Vec<Self>, until: Instant) -> impl Future<Output = Vec<Answer<Self::Reply>>> + Send;
}

pub struct Worker {
    pub primary: Session,
    /// Answers lookups that the primary cannot answer.
    pub replica: Option<Session>,
}

impl Worker {
    /// Works until the queue is closed and empty. After a panic, that batch is answered as unavailable, and the work continues.
    pub async fn run<R: Request>(mut self, requests: Arc<Requests<R>>, batch_sizes: Histogram) {
        while AssertUnwindSafe(self.work(&requests, &batch_sizes)).catch_unwind().await.is_err() {
            tracing::error!("a database worker panicked and is being restarted");
        }
        self.primary.close().await;
        if let Some(mut replica) = self.replica {
            replica.close().await;
        }
    }

    async fn work<R: Request>(&mut self, requests: &Requests<R>, batch_sizes: &Histogram) {
        self.primary.care().await;
        loop {
            // Without a connection, leave the requests to those who have one.
            let able = self.primary.refused.is_none().then(|| requests.able.clone());
            let takes = able.is_some() || Arc::strong_count(&requests.able) == 1;
            if !takes {
                // Those that arrived while it was busy have woken no one.
                requests.wake.notify_one();
            }
            let mut batch = tokio::select! {
                biased;
                batch = requests.next(), if takes => match batch {
                    Some(batch) => batch,
                    None => return,
                },
                () = self.primary.needs_care() => {
                    self.primary.care().await;
                    if self.primary.refused.is_none() {
                        self.replica.iter_mut().for_each(Session::release);
                    }
                    continue;
                }
            };
            batch_sizes.observe(batch.requests.len() as f64);
            let until = Instant::now() + self.primary.server.settings.deadline();
            let answers = R::answer(self, std::mem::take(&mut batch.requests), until).await;
            batch.answer(answers);
        }
    }

    async fn write(&mut self, statement: Statement<'_>, until: Instant) -> Answer<bool> {
        let written = self.primary.run(statement, until).await.map(|outcome| outcome.written > 0);
        written.map_err(|error| error.answer())
    }

    /// If a row is refused, saves the rows one by one.
    async fn save(&mut self, rows: &[Row], until: Instant, answers: &mut Vec<Answer<bool>>) {
        if rows.is_empty() {
            return;
        }
        let outcome = self.primary.run(Statement::Save(rows), until).await;
        if matches!(&outcome, Err(error) if error.kind == Kind::Row) && rows.len() > 1 {
            for row in rows {
                answers.push(self.write(Statement::Save(slice::from_ref(row)), until).await.and(Ok(true)));
            }
        } else {
            let answer = outcome.map(|_| true).map_err(|error| error.answer());
            answers.extend(rows.iter().map(|_| answer));
        }
    }
}

impl Request for Username {
    type Reply = Option<Found>;

    async fn answer(worker: &mut Worker, names: Vec<Self>, until: Instant) -> Vec<Answer<Option<Found>>> {
        let (outcome, from_replica) = match (worker.primary.run(Statement::Find(&names), until).await, &mut worker.replica) {
            (Err(_), Some(replica)) => (replica.run(Statement::Find(&names), until).await, true),
            (outcome, replica) => {
                // Idle until the next outage, its connection would grow stale.
                replica.iter_mut().for_each(Session::release);
                (outcome, false)
            }
        };
        let rows: HashMap<String, NaiveDate> = match outcome {
            Ok(outcome) => outcome.rows.into_iter().collect(),
            Err(error) => return names.iter().map(|_| Err(error.answer())).collect(),
        };
        let found = |date: &NaiveDate| Found { date_of_birth: DateOfBirth::from_kept(*date), from_replica };
        let answer = |name: &Username| match rows.get(name.as_str()) {
            // The replica may lag: the primary may already know a name that it lacks.
            None if from_replica => Err(StoreError::Unavailable),
            date => Ok(date.map(found)),
        };
        let answers: Vec<_> = names.iter().map(answer).collect();
        if from_replica {
            worker.primary.server.metrics.replica_answers.inc_by(answers.iter().flatten().count() as u64);
        }
        answers
    }
}

impl Request for Write {
    /// Whether the write took place.
    type Reply = bool;

    /// Uses as few statements as the order allows: consecutive saves without a condition share one.
    async fn answer(worker: &mut Worker, writes: Vec<Self>, until: Instant) -> Vec<Answer<bool>> {
        let mut answers = Vec::with_capacity(writes.len());
        let mut rows = Vec::with_capacity(writes.len());
        for write in writes {
            if let Self::Save(row, Condition::None) = write {
                rows.push(row);
                continue;
            }
            worker.save(&rows, until, &mut answers).await;
            rows.clear();
            answers.push(worker.write(Statement::Write(&write), until).await);
        }
        worker.save(&rows, until, &mut answers).await;
        answers
    }
}
