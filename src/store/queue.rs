//! Coalescing: requests that arrive while a statement runs share the next one.
//!
//! Requests wait in a [`Queue`]. A worker is a task with a connection of its own; through its [`Taker`] it takes all that wait and
//! answers them with one statement. No timers: a request that finds every worker idle wakes one at once and is a batch of one. While
//! a worker is busy requests gather, and every sixteenth wakes one more worker. The more there is to do, the less each request costs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::time::Instant;

/// The most requests that one statement carries.
pub const LARGEST_BATCH: usize = 256;
/// The most requests that may wait, so that memory is bounded.
const LONGEST_QUEUE: usize = 4096;
/// When more wait than fit into a statement, those that have waited longer than this are rejected, and so are new ones: with more
/// requests than can be answered, it is better to answer some soon than all too late. A pause of the database alone rejects none:
/// what gathered meanwhile fits into the next statements.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// While a worker is busy, this many waiting requests wake one more.
const WAKE_ANOTHER_EVERY: usize = 16;
/// After a batch of at least so many, the worker lets the runtime read more requests before it takes the next batch. Alone, a request
/// would only be slower for it.
const CROWD: usize = 8;

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// Too many requests wait already, or wait too long.
    Full,
    /// The queue is closed, or the worker that had taken the request panicked.
    Gone,
}

struct Job<Q, A> {
    request: Q,
    since: Instant,
    answer: oneshot::Sender<Result<A, Unanswered>>,
}

impl<Q, A> Job<Q, A> {
    fn is_late(&self, now: Instant) -> bool {
        now.duration_since(self.since) > LONGEST_WAIT
    }
}

/// Requests of one kind that wait for a worker.
pub struct Queue<Q, A> {
    waiting: Mutex<Waiting<Q, A>>,
    /// One permit wakes one worker.
    wake: Semaphore,
    workers: usize,
}

struct Waiting<Q, A> {
    jobs: VecDeque<Job<Q, A>>,
    /// Workers that were woken and have not gone back to sleep.
    awake: usize,
}

impl<Q, A> Queue<Q, A> {
    /// A queue that so many workers will serve, each through a [`Taker`] of its own.
    pub fn new(workers: usize) -> Arc<Self> {
        let waiting = Waiting { jobs: VecDeque::with_capacity(LARGEST_BATCH), awake: 0 };
        Arc::new(Self { waiting: Mutex::new(waiting), wake: Semaphore::new(0), workers })
    }

    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Waits for the answer to `request`. Dropping the future takes the request back: it costs no statement any more.
    pub async fn ask(&self, request: Q) -> Result<A, Unanswered> {
        let (answer, receiver) = oneshot::channel();
        self.push(Job { request, since: Instant::now(), answer })?;
        receiver.await.map_err(|_| Unanswered::Gone)?
    }

    fn push(&self, job: Job<Q, A>) -> Result<(), Unanswered> {
        let mut waiting = self.lock();
        if self.wake.is_closed() {
            return Err(Unanswered::Gone);
        }
        // Requests that were given up make room for those that still wait.
        while waiting.jobs.front().is_some_and(|oldest| oldest.answer.is_closed()) {
            waiting.jobs.pop_front();
        }
        let late = waiting.jobs.front().is_some_and(|oldest| oldest.is_late(job.since));
        if waiting.jobs.len() >= LONGEST_QUEUE || (waiting.jobs.len() >= LARGEST_BATCH && late) {
            return Err(Unanswered::Full);
        }
        waiting.jobs.push_back(job);
        let another = waiting.awake < self.workers && waiting.jobs.len().is_multiple_of(WAKE_ANOTHER_EVERY);
        if waiting.awake == 0 || another {
            waiting.awake += 1;
            self.wake.add_permits(1);
        }
        Ok(())
    }

    /// No request is accepted any more; workers answer what waits and then end.
    pub fn close(&self) {
        let _no_push = self.lock();
        self.wake.close();
    }

    /// A panic while the lock was held cannot have left the queue half changed, so poisoning is no reason to stop.
    fn lock(&self) -> MutexGuard<'_, Waiting<Q, A>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One worker's end of a [`Queue`].
pub struct Taker<Q, A> {
    queue: Arc<Queue<Q, A>>,
    awake: bool,
    /// Size of the last batch.
    last: usize,
}

/// Requests that a worker took, and the way back for their answers.
pub struct Batch<Q, A> {
    pub requests: Vec<Q>,
    answers: Vec<oneshot::Sender<Result<A, Unanswered>>>,
}

impl<Q, A> Taker<Q, A> {
    pub fn new(queue: Arc<Queue<Q, A>>) -> Self {
        Self { queue, awake: false, last: 0 }
    }

    /// Waits for requests and takes them, [`LARGEST_BATCH`] at the most; `None` when the queue is closed and empty.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Batch<Q, A>> {
        loop {
            if let Some(batch) = self.take() {
                return Some(batch);
            }
            let woken = self.queue.wake.acquire().await.map(SemaphorePermit::forget);
            if woken.is_err() {
                // Closed: what waits is still answered.
                return self.take();
            }
            self.awake = true;
            if self.last >= CROWD {
                tokio::task::yield_now().await;
            }
        }
    }

    fn take(&mut self) -> Option<Batch<Q, A>> {
        let closing = self.queue.wake.is_closed();
        let mut waiting = self.queue.lock();
        if waiting.jobs.len() > LARGEST_BATCH {
            let now = Instant::now();
            while waiting.jobs.len() > LARGEST_BATCH && waiting.jobs.front().is_some_and(|oldest| oldest.is_late(now)) {
                // The request may have been given up meanwhile.
                let _ = waiting.jobs.pop_front().map(|job| job.answer.send(Err(Unanswered::Full)));
            }
        }
        let expected = waiting.jobs.len().min(LARGEST_BATCH);
        let mut batch = Batch { requests: Vec::with_capacity(expected), answers: Vec::with_capacity(expected) };
        while (self.awake || closing) && batch.requests.len() < LARGEST_BATCH {
            match waiting.jobs.pop_front() {
                Some(job) if job.answer.is_closed() => {}
                Some(job) => {
                    batch.requests.push(job.request);
                    batch.answers.push(job.answer);
                }
                None => break,
            }
        }
        if batch.requests.is_empty() {
            waiting.awake -= usize::from(std::mem::take(&mut self.awake));
            return None;
        }
        self.last = batch.requests.len();
        Some(batch)
    }
}

impl<Q, A> Drop for Taker<Q, A> {
    /// A worker that ends while it is awake wakes another.
    fn drop(&mut self) {
        if self.awake {
            let mut waiting = self.queue.lock();
            if waiting.jobs.is_empty() {
                waiting.awake -= 1;
            } else {
                self.queue.wake.add_permits(1);
            }
        }
    }
}

impl<Q, A> Batch<Q, A> {
    /// Gives every request its answer: `answers` has one for each of `requests`, in the same order.
    pub fn answer(self, answers: impl IntoIterator<Item = A>) {
        for (sender, answer) in self.answers.into_iter().zip(answers) {
            // The request may have been given up meanwhile.
            let _ = sender.send(Ok(answer));
        }
    }
}

#[cfg(test)]
mod tests;
