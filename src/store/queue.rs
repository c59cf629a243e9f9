//! Coalescing: requests that arrive while a statement runs share the next one.
//!
//! Requests wait in a [`Queue`]; a worker takes all of them and answers them with one statement. There are no timers: a request
//! that finds every worker idle wakes one at once and is a batch of one. While workers are busy, requests accumulate, and every
//! sixteenth wakes one more worker, as does one that arrives behind a slow batch. The higher the load, the less each request costs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// The most requests that one statement carries.
pub const LARGEST_BATCH: usize = 256;
/// The most requests that may wait, so that memory is bounded.
const LONGEST_QUEUE: usize = 4096;
/// When more wait than fit into a statement, those that have waited longer than this are rejected, and so are new ones: under
/// overload it is better to answer some soon than all too late. A pause of the database alone rejects none: the requests that
/// accumulated meanwhile fit into the next statements.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// While a worker is busy, this many waiting requests wake one more.
const WAKE_ANOTHER_EVERY: usize = 16;
/// A batch that takes longer than this may hang: a request that arrives later wakes another worker.
const SLOW: Duration = Duration::from_millis(20);
/// After a batch of at least this many, a worker that wakes up lets the runtime read more requests before it takes the next
/// batch. A lone request would only be delayed by this.
const CROWD: usize = 8;

struct Job<Q, A> {
    request: Q,
    since: Instant,
    answer: oneshot::Sender<A>,
}

impl<Q, A> Job<Q, A> {
    fn is_late(&self, now: Instant) -> bool {
        now.duration_since(self.since) > LONGEST_WAIT
    }
}

/// Requests of one kind that wait for a worker.
pub struct Queue<Q, A> {
    state: Mutex<State<Q, A>>,
    /// Notified once for each worker to wake.
    pub wake: Notify,
    /// Held by the workers that can answer.
    pub able: Arc<()>,
    /// Counts the requests that got no answer because too many were waiting.
    rejected: Counter,
}

struct State<Q, A> {
    waiting: VecDeque<Job<Q, A>>,
    /// When each of the batches that are not yet answered was taken, oldest first.
    running: Vec<Instant>,
    /// Size of the last batch.
    last: usize,
    closed: bool,
}

impl<Q, A> Queue<Q, A> {
    pub fn new(rejected: Counter) -> Self {
        let state = State { waiting: VecDeque::with_capacity(LARGEST_BATCH), running: Vec::new(), last: 0, closed: false };
        Self { state: Mutex::new(state), wake: Notify::new(), able: Arc::default(), rejected }
    }

    /// Waits for the answer to `request`. There is none if too many wait, if the queue is closed, or if the worker that had taken
    /// the request panicked. Dropping the future cancels the request, if no worker has taken it yet.
    pub async fn ask(&self, request: Q) -> Option<A> {
        let (answer, receiver) = oneshot::channel();
        self.push(Job { request, since: Instant::now(), answer });
        receiver.await.ok()
    }

    fn push(&self, job: Job<Q, A>) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        // Cancelled requests make room for those that still wait.
        while state.waiting.front().is_some_and(|oldest| oldest.answer.is_closed()) {
            state.waiting.pop_front();
        }
        let now = job.since;
        let late = state.waiting.front().is_some_and(|oldest| oldest.is_late(now));
        if state.waiting.len() >= LONGEST_QUEUE || (state.waiting.len() >= LARGEST_BATCH && late) {
            self.rejected.inc();
            return;
        }
        state.waiting.push_back(job);
        // A busy worker checks the queue again by itself, or has another one do it.
        let first = state.running.is_empty() && state.waiting.len() == 1;
        let slow = state.running.first().is_some_and(|oldest| now.duration_since(*oldest) > SLOW);
        if first || slow || state.waiting.len().is_multiple_of(WAKE_ANOTHER_EVERY) {
            // The last one to wait: what it needs is still in the processor's caches, here and in the database.
            self.wake.notify_last();
        }
    }

    /// Waits for requests and takes them, at most [`LARGEST_BATCH`]; `None` when the queue is closed and empty.
    ///
    /// Dropping the future loses no requests.
    pub async fn next(&self) -> Option<Batch<'_, Q, A>> {
        loop {
            // Created before the check, so that no wake-up in between is missed.
            let woken = self.wake.notified();
            let last = {
                let mut state = self.state.lock();
                if let Some(batch) = self.take(&mut state) {
                    return Some(batch);
                }
                if state.closed {
                    return None;
                }
                state.last
            };
            woken.await;
            if last >= CROWD {
                let pass_on = PassOn(&self.wake);
                tokio::task::yield_now().await;
                std::mem::forget(pass_on);
            }
        }
    }

    fn take(&self, state: &mut State<Q, A>) -> Option<Batch<'_, Q, A>> {
        while state.waiting.len() > LARGEST_BATCH && state.waiting.front().is_some_and(|oldest| oldest.is_late(Instant::now())) {
            let late = state.waiting.pop_front();
            // It may have been cancelled meanwhile.
            if late.is_some_and(|job| !job.answer.is_closed()) {
                self.rejected.inc();
            }
        }
        let expected = state.waiting.len().min(LARGEST_BATCH);
        let (mut requests, mut answers) = (Vec::with_capacity(expected), Vec::with_capacity(expected));
        while requests.len() < LARGEST_BATCH
            && let Some(job) = state.waiting.pop_front()
        {
            if !job.answer.is_closed() {
                requests.push(job.request);
                answers.push(job.answer);
            }
        }
        if requests.is_empty() {
            return None;
        }
        let taken = Instant::now();
        state.running.push(taken);
        state.last = requests.len();
        Some(Batch { queue: self, taken, requests, answers })
    }

    /// Stops accepting requests; workers answer those that wait and then end.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.wake.notify_waiters();
    }
}

/// Wakes another worker in place of one that was woken but takes nothing.
struct PassOn<'q>(&'q Notify);

impl Drop for PassOn<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// Requests that a worker took, and the channels for their answers.
pub struct Batch<'q, Q, A> {
    queue: &'q Queue<Q, A>,
    taken: Instant,
    pub requests: Vec<Q>,
    answers: Vec<oneshot::Sender<A>>,
}

impl<Q, A> Batch<'_, Q, A> {
    /// Gives every request its answer: `answers` has one for each of `requests`, in the same order.
    pub fn answer(mut self, answers: impl IntoIterator<Item = A>) {
        for (sender, answer) in self.answers.drain(..).zip(answers) {
            // The request may have been cancelled meanwhile.
            let _ = sender.send(answer);
        }
    }
}

impl<Q, A> Drop for Batch<'_, Q, A> {
    fn drop(&mut self) {
        {
            let running = &mut self.queue.state.lock().running;
            running.iter().position(|taken| *taken == self.taken).map(|at| running.remove(at));
        }
        // Its worker panicked or was stopped: another one takes the waiting requests.
        if !self.answers.is_empty() {
            self.queue.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
