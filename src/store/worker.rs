//! The workers: tasks that take requests from a queue and answer them, each over a session of its own.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use prometheus_client::metrics::histogram::Histogram;
use rocket::futures::FutureExt;
use tokio::time::Instant;

use super::database::{Outcome, Statement};
use super::error::{Error, Kind};
use super::metrics::Metrics;
use super::queue::{Queue, Taker};
use super::server::Server;
use super::session::Session;
use super::{Condition, Found, StoreError};
use crate::birthday::{DateOfBirth, Username};

pub enum Request {
    Find(Username),
    Save(Username, DateOfBirth, Condition),
    Delete(Username),
}

pub enum Reply {
    Found(Option<Found>),
    /// Whether the write took place.
    Written(bool),
}

pub type Answer = Result<Reply, StoreError>;
pub type Requests = Queue<Request, Answer>;

pub struct Worker {
    pub requests: Arc<Requests>,
    pub primary: Arc<Server>,
    /// Answers lookups that the primary cannot answer.
    pub replica: Option<Arc<Server>>,
    /// What a batch may take altogether: retry and replica included.
    pub limit: Duration,
    pub batch_sizes: Histogram,
    pub metrics: Metrics,
}

impl Worker {
    /// Works until the queue is closed and empty. After a panic the requests of that batch are unavailable, and the next are taken.
    pub async fn run(self) {
        while AssertUnwindSafe(self.work()).catch_unwind().await.is_err() {
            tracing::error!("a database worker panicked and is started again");
        }
    }

    async fn work(&self) {
        let mut taker = Taker::new(self.requests.clone());
        let (mut primary, mut replica) = (Session::new(self.primary.clone()), self.replica.clone().map(Session::new));
        primary.care().await;
        loop {
            let mut batch = tokio::select! {
                biased;
                batch = taker.next() => match batch {
                    Some(batch) => batch,
                    None => break,
                },
                () = primary.needs_care() => {
                    primary.care().await;
                    continue;
                }
            };
            self.batch_sizes.observe(batch.requests.len() as f64);
            let until = Instant::now() + self.limit;
            let mut answers = Vec::with_capacity(batch.requests.len());
            for statement in statements(std::mem::take(&mut batch.requests)) {
                match statement {
                    Statement::Find(_) => self.find(&mut primary, &mut replica, &statement, until, &mut answers).await,
                    _ => write(&mut primary, statement, until, &mut answers).await,
                }
            }
            batch.answer(answers);
        }
        primary.close().await;
        if let Some(mut replica) = replica {
            replica.close().await;
        }
    }

    async fn find(
        &self,
        primary: &mut Session,
        replica: &mut Option<Session>,
        statement: &Statement,
        until: Instant,
        answers: &mut Vec<Answer>,
    ) {
        let Statement::Find(names) = statement else { return };
        match (primary.run(statement, until).await, replica) {
            (Ok(outcome), _) => answers.extend(known(names, outcome, false)),
            (Err(_), Some(replica)) => match replica.run(statement, until).await {
                Ok(outcome) => {
                    self.metrics.replica_answers.inc_by(outcome.rows.len() as u64);
                    // The replica may lag: a name that it lacks may be known by now.
                    answers.extend(known(names, outcome, true).map(|answer| match answer {
                        Ok(Reply::Found(None)) => Err(StoreError::Unavailable),
                        answer => answer,
                    }));
                }
                Err(error) => answers.extend(failed(&error, names.len())),
            },
            (Err(error), None) => answers.extend(failed(&error, names.len())),
        }
    }
}

/// As few statements as keep the order of writes: neighbours of one kind share one.
fn statements(requests: Vec<Request>) -> Vec<Statement> {
    let room = requests.len();
    let mut statements = Vec::with_capacity(1);
    for request in requests {
        match (request, statements.last_mut()) {
            (Request::Find(name), Some(Statement::Find(names))) => names.push(name),
            (Request::Save(name, born, Condition::None), Some(Statement::Save(rows))) => rows.push((name, born)),
            (Request::Find(name), _) => {
                let mut names = Vec::with_capacity(room);
                names.push(name);
                statements.push(Statement::Find(names));
            }
            (Request::Save(name, born, Condition::None), _) => statements.push(Statement::Save(vec![(name, born)])),
            (Request::Save(name, born, condition), _) => statements.push(Statement::SaveIf(name, born, condition)),
            (Request::Delete(name), _) => statements.push(Statement::Delete(name)),
        }
    }
    statements
}

/// Matches rows to names, whatever order the rows came in.
fn known(names: &[Username], outcome: Outcome, from_replica: bool) -> impl Iterator<Item = Answer> {
    let rows: HashMap<String, NaiveDate> = outcome.rows.into_iter().collect();
    let found = move |date: &NaiveDate| Found { date_of_birth: DateOfBirth::from_kept(*date), from_replica };
    names.iter().map(move |name| Ok(Reply::Found(rows.get(name.as_str()).map(found))))
}

/// When one row is refused, the others are saved one by one.
async fn write(primary: &mut Session, statement: Statement, until: Instant, answers: &mut Vec<Answer>) {
    match (primary.run(&statement, until).await, statement) {
        (Ok(_), Statement::Save(rows)) => answers.extend(rows.iter().map(|_| Ok(Reply::Written(true)))),
        (Ok(outcome), _) => answers.push(Ok(Reply::Written(outcome.written > 0))),
        (Err(Error { kind: Kind::Row, .. }), Statement::Save(rows)) if rows.len() > 1 => {
            for row in rows {
                let outcome = primary.run(&Statement::Save(vec![row]), until).await;
                answers.push(outcome.map(|_| Reply::Written(true)).map_err(|error| error.kind.rule().answer));
            }
        }
        (Err(error), Statement::Save(rows)) => answers.extend(failed(&error, rows.len())),
        (Err(error), _) => answers.extend(failed(&error, 1)),
    }
}

fn failed(error: &Error, requests: usize) -> impl Iterator<Item = Answer> {
    let answer = error.kind.rule().answer;
    (0..requests).map(move |_| Err(answer))
}
