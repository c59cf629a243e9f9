//! The queue with workers that are slow, fail or panic. Time is paused: nothing here depends on how fast the machine is.

use std::sync::Arc;
use std::time::Duration;

use rocket::futures::future::try_join_all;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::*;

/// How long a statement takes in these tests.
const STATEMENT: Duration = Duration::from_millis(10);
/// Longer than any test here takes.
const NEVER: Duration = Duration::from_secs(3600);

fn queue() -> Arc<Queue<u64, u64>> {
    Arc::new(Queue::new(Counter::default()))
}

/// A worker that answers each request with its double and records the size of every batch.
fn worker(queue: &Arc<Queue<u64, u64>>, statement: Duration) -> JoinHandle<Vec<usize>> {
    let queue = queue.clone();
    tokio::spawn(async move {
        let mut sizes = Vec::new();
        while let Some(batch) = timeout(NEVER, queue.next()).await.expect("the worker sleeps forever") {
            sizes.push(batch.requests.len());
            sleep(statement).await;
            let answers: Vec<u64> = batch.requests.iter().map(|n| n * 2).collect();
            batch.answer(answers);
        }
        sizes
    })
}

fn ask(queue: &Arc<Queue<u64, u64>>, request: u64) -> JoinHandle<Option<u64>> {
    let queue = queue.clone();
    tokio::spawn(async move { timeout(NEVER, queue.ask(request)).await.expect("no answer comes") })
}

async fn take(queue: &Queue<u64, u64>) -> Batch<'_, u64, u64> {
    timeout(NEVER, queue.next()).await.expect("no request comes").expect("the queue is closed")
}

/// The sizes of each worker's batches, sorted.
async fn sizes(workers: [JoinHandle<Vec<usize>>; 2]) -> Vec<Vec<usize>> {
    let mut sizes = try_join_all(workers).await.unwrap();
    sizes.sort_unstable();
    sizes
}

#[test]
fn a_request_is_late_after_its_longest_wait_and_not_before() {
    let (since, (answer, _)) = (Instant::now(), oneshot::channel());
    let job = Job::<u64, u64> { request: 0, since, answer };
    assert!(!job.is_late(since + LONGEST_WAIT));
    assert!(job.is_late(since + LONGEST_WAIT + Duration::from_millis(1)));
}

#[tokio::test(start_paused = true)]
async fn lone_requests_are_sent_at_once_and_alone_by_the_same_worker() {
    let queue = queue();
    let workers = [worker(&queue, STATEMENT), worker(&queue, STATEMENT)];
    for n in 0..5 {
        let asked = Instant::now();
        assert_eq!(ask(&queue, n).await.unwrap(), Some(n * 2));
        assert_eq!(asked.elapsed(), STATEMENT);
    }
    queue.close();
    assert_eq!(sizes(workers).await, [vec![], vec![1; 5]]);
}

#[tokio::test(start_paused = true)]
async fn requests_that_arrive_while_a_statement_runs_share_the_next_one_and_get_their_own_answers() {
    let queue = queue();
    let workers = [worker(&queue, STATEMENT), worker(&queue, STATEMENT)];
    let started = Instant::now();
    let first = ask(&queue, 0);
    sleep(STATEMENT / 2).await;
    let others: Vec<_> = (1..=10).map(|n| ask(&queue, n)).collect();
    assert_eq!(first.await.unwrap(), Some(0));
    for (n, other) in (1..).zip(others) {
        assert_eq!(other.await.unwrap(), Some(n * 2));
    }
    assert_eq!(started.elapsed(), 2 * STATEMENT, "they are too few to wake the other worker");
    queue.close();
    assert_eq!(sizes(workers).await, [vec![], vec![1, 10]]);
}

#[tokio::test(start_paused = true)]
async fn every_sixteenth_waiting_request_wakes_one_more_worker() {
    let queue = queue();
    let workers = [worker(&queue, STATEMENT), worker(&queue, STATEMENT)];
    let started = Instant::now();
    let first = ask(&queue, 0);
    sleep(STATEMENT / 2).await;
    let others: Vec<_> = (1..=16).map(|n| ask(&queue, n)).collect();
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(started.elapsed(), STATEMENT / 2 + STATEMENT, "the sixteen did not wait for the worker that was busy");
    first.await.unwrap().unwrap();
    queue.close();
    assert_eq!(sizes(workers).await, [[1], [16]]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_holds_no_more_than_the_limit() {
    let queue = queue();
    let worker = worker(&queue, STATEMENT);
    let all: Vec<_> = (0..2 * LARGEST_BATCH as u64 + 1).map(|n| ask(&queue, n)).collect();
    for (n, answer) in (0..).zip(all) {
        assert_eq!(answer.await.unwrap(), Some(n * 2));
    }
    queue.close();
    let sizes = worker.await.unwrap();
    assert!(sizes.iter().all(|size| *size <= LARGEST_BATCH), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), 2 * LARGEST_BATCH + 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_given_up_costs_no_statement() {
    let queue = queue();
    let worker = worker(&queue, STATEMENT);
    let first = ask(&queue, 0);
    sleep(STATEMENT / 2).await;
    let given_up = timeout(STATEMENT / 4, queue.ask(1)).await;
    assert!(given_up.is_err());
    let kept = ask(&queue, 2);
    assert_eq!(first.await.unwrap(), Some(0));
    assert_eq!(kept.await.unwrap(), Some(4));
    queue.close();
    assert_eq!(worker.await.unwrap(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_rejects_requests_at_once_and_those_that_were_given_up_make_room() {
    let queue = queue();
    let waiting: Vec<_> = (0..LONGEST_QUEUE as u64).map(|n| ask(&queue, n)).collect();
    sleep(STATEMENT).await;
    assert_eq!((ask(&queue, 0).await.unwrap(), queue.rejected.get()), (None, 1));
    for asked in &waiting {
        asked.abort();
    }
    sleep(STATEMENT).await;
    let worker = worker(&queue, STATEMENT);
    assert_eq!(ask(&queue, 7).await.unwrap(), Some(14));
    queue.close();
    assert_eq!(worker.await.unwrap(), [1]);
}

/// Three times as many requests as one worker can answer, for four seconds. Its statements take so long that a full queue would
/// mean too long a wait.
#[tokio::test(start_paused = true)]
async fn with_more_requests_than_can_be_answered_each_is_answered_or_rejected_soon() {
    let (queue, statement, lasts) = (queue(), 20 * STATEMENT, Duration::from_secs(4));
    let worker = worker(&queue, statement);
    let each = statement / (3 * LARGEST_BATCH as u32);
    let capacity = lasts.div_duration_f64(statement) as usize * LARGEST_BATCH;
    let started = Instant::now();
    let mut asked = Vec::new();
    while started.elapsed() < lasts {
        // The test clock has a resolution of one millisecond.
        sleep(Duration::from_millis(1)).await;
        while each * (asked.len() as u32) < started.elapsed() {
            let queue = queue.clone();
            asked.push(tokio::spawn(async move {
                let began = Instant::now();
                (timeout(NEVER, queue.ask(1)).await.expect("no answer comes"), began.elapsed())
            }));
        }
    }
    let (mut answered, mut refused) = (Vec::new(), Vec::new());
    for request in asked {
        match request.await.unwrap() {
            (Some(_), took) => answered.push(took),
            (None, took) => refused.push(took),
        }
    }
    let at_most = LONGEST_WAIT + 3 * statement;
    assert!(answered.iter().max().unwrap() <= &at_most, "{:?}", answered.iter().max());
    assert!(refused.iter().max().unwrap() <= &at_most, "{:?}", refused.iter().max());
    assert_eq!(queue.rejected.get(), refused.len() as u64);
    assert!(answered.len() > capacity * 9 / 10, "{} answered of {capacity} that could be", answered.len());
    queue.close();
    worker.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_the_database_rejects_none_when_all_that_wait_fit_into_a_statement() {
    let queue = queue();
    let first = ask(&queue, 0);
    let taken = take(&queue).await;
    let waiting: Vec<_> = (1..LARGEST_BATCH as u64).map(|n| ask(&queue, n)).collect();
    sleep(10 * LONGEST_WAIT).await;
    let late = ask(&queue, LARGEST_BATCH as u64);
    sleep(STATEMENT).await;
    taken.answer([0]);
    let all = take(&queue).await;
    assert_eq!(all.requests.len(), LARGEST_BATCH);
    let answers: Vec<u64> = all.requests.iter().map(|n| n * 2).collect();
    all.answer(answers);
    assert_eq!(first.await.unwrap(), Some(0));
    for (n, request) in (1..).zip(waiting) {
        assert_eq!(request.await.unwrap(), Some(n * 2));
    }
    assert_eq!(late.await.unwrap(), Some(2 * LARGEST_BATCH as u64));
}

#[tokio::test(start_paused = true)]
async fn closing_answers_everything_that_was_taken_in_and_refuses_the_rest() {
    let queue = queue();
    let worker = worker(&queue, STATEMENT);
    let taken: Vec<_> = (0..20).map(|n| ask(&queue, n)).collect();
    sleep(STATEMENT / 2).await;
    queue.close();
    assert_eq!((ask(&queue, 99).await.unwrap(), queue.rejected.get()), (None, 0));
    for (n, answer) in (0..).zip(taken) {
        assert_eq!(answer.await.unwrap(), Some(n * 2));
    }
    assert_eq!(worker.await.unwrap().iter().sum::<usize>(), 20);
}

#[tokio::test(start_paused = true)]
async fn closing_with_requests_waiting_and_the_worker_asleep_still_answers_them() {
    let queue = queue();
    let waiting = ask(&queue, 21);
    sleep(STATEMENT).await;
    queue.close();
    let worker = worker(&queue, STATEMENT);
    assert_eq!(waiting.await.unwrap(), Some(42));
    assert_eq!(worker.await.unwrap(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_panics_fails_its_own_batch_only_and_the_next_takes_the_rest() {
    let queue = queue();
    let doomed = queue.clone();
    let dies = tokio::spawn(async move {
        let _taken = take(&doomed).await;
        sleep(STATEMENT).await;
        panic!("injected");
    });
    let lost = ask(&queue, 1);
    sleep(STATEMENT / 2).await;
    // It stays idle: a single waiting request is left to the busy worker.
    let worker = worker(&queue, STATEMENT);
    let waiting = ask(&queue, 2);
    assert!(dies.await.is_err());
    assert_eq!(lost.await.unwrap(), None);
    assert_eq!(waiting.await.unwrap(), Some(4));
    assert_eq!(ask(&queue, 3).await.unwrap(), Some(6));
    queue.close();
    assert_eq!(worker.await.unwrap(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_turns_to_something_else_when_it_was_woken_has_another_one_woken() {
    let queue = queue();
    (0..CROWD as u64).for_each(|n| drop(ask(&queue, n)));
    sleep(STATEMENT).await;
    take(&queue).await.answer([0; CROWD]);
    let other = worker(&queue, STATEMENT);
    sleep(STATEMENT).await;
    // It waits last, so it is the one that is woken.
    let mut turns_away = Box::pin(queue.next());
    assert!(rocket::futures::poll!(&mut turns_away).is_pending(), "it waits");
    let asked = ask(&queue, 1);
    sleep(STATEMENT).await;
    assert!(rocket::futures::poll!(&mut turns_away).is_pending(), "it lets the runtime read more requests");
    drop(turns_away);
    assert_eq!(timeout(2 * STATEMENT, asked).await.unwrap().unwrap(), Some(2));
    queue.close();
    assert_eq!(other.await.unwrap(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_statement_holds_up_no_request_that_arrives_later() {
    let queue = queue();
    let stuck = queue.clone();
    let never = tokio::spawn(async move {
        let _taken = take(&stuck).await;
        std::future::pending::<()>().await;
    });
    let first = ask(&queue, 0);
    sleep(SLOW).await;
    let healthy = worker(&queue, STATEMENT);
    for n in 1..=3 {
        sleep(Duration::from_millis(1)).await;
        assert_eq!(timeout(STATEMENT * 3, ask(&queue, n)).await.unwrap().unwrap(), Some(n * 2));
    }
    assert!(!first.is_finished());
    never.abort();
    assert!(never.await.is_err());
    assert_eq!(first.await.unwrap(), None);
    queue.close();
    assert_eq!(healthy.await.unwrap(), [1, 1, 1]);
}
