//! Start, drain, stop.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Database, HEALS, Service, Store, birthday, command, directory, eventually, postgresql, raw};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_signal_drains_it_and_then_it_ends_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let directory = directory();
        let mut service = Service::start(command(directory.path()).env("ROCKET_LIFECYCLE", "{drain=2}"));
        let asked = Instant::now();
        service.signal(signal);
        // drain + grace + mercy + 1
        assert_eq!(service.ended(Duration::from_secs(2 + 6 + 1 + 1)).code(), Some(0), "{}", service.log());
        assert!(asked.elapsed() >= Duration::from_secs(2), "it drained for {:?} only", asked.elapsed());
        service.line("stopped");
    }
}

#[test]
fn ctrl_c_without_a_request_in_flight_ends_it_within_a_second() {
    let directory = directory();
    let mut service = Service::start(&mut command(directory.path()));
    let _idle = raw::send(service.address, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    service.signal(Signal::INT);
    assert_eq!(service.ended(Duration::from_secs(1)).code(), Some(0), "{}", service.log());
}

#[tokio::test]
async fn requests_still_succeed_while_it_drains_and_a_second_signal_ends_it_at_once() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let directory = directory();
        let mut service = Service::start(command(directory.path()).env("ROCKET_LIFECYCLE", "{drain=60}"));
        assert_eq!(service.get("/readyz").await.header("connection"), None);
        service.signal(Signal::TERM);
        service.line("draining");
        let unready = service.get("/readyz").await;
        assert_eq!(unready.header("connection"), Some("close"));
        unready.expect_problem(503, "draining");
        assert!(service.get("/metrics").await.body.contains("\nbirthday_draining 1\n"));
        assert_eq!(service.get("/livez").await.status, 200);
        let saved = service.put("/hello/John", birthday("1990-05-17")).await;
        assert_eq!((saved.status, saved.header("connection")), (204, Some("close")));
        assert_eq!(service.get("/hello/John").await.status, 200);
        service.signal(signal);
        assert_eq!(service.ended(SOON).code(), Some(code), "{}", service.log());
    }
}

#[tokio::test]
async fn a_request_in_flight_at_the_end_is_answered() {
    let directory = directory();
    let database = Database::new(Store::PostgreSql).migrated();
    let tables = format!("{{birthdays={{url={:?},query_timeout=15}}}}", database.url());
    let mut service = Service::start(
        command(directory.path())
            .env("ROCKET_DATABASES", tables)
            .env("ROCKET_LIFECYCLE", "{drain=0}")
            .env("ROCKET_SHUTDOWN", "{grace=18}"),
    );
    let lock = database.lock().await;
    let (answer, ()) = tokio::join!(service.put("/hello/John", birthday("1990-05-17")), async {
        let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        eventually(SOON, "the save waits", async || database.select(waiting).await == 1).await;
        service.signal(Signal::TERM);
        service.line("draining");
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(lock);
    });
    assert_eq!(answer.status, 204, "{}", answer.body);
    assert_eq!(service.ended(Duration::from_secs(18 + 1 + 1)).code(), Some(0), "{}", service.log());
    assert_eq!(database.number("select count(*) from birthdays"), 1);
}

#[tokio::test]
async fn a_start_without_its_database_answers_503_and_heals_by_itself() {
    let directory = directory();
    let mut server = postgresql::Server::start(&[]);
    server.stop("INT");
    let tables = format!("{{birthdays={{url={:?},migrate=true}}}}", server.url("postgres"));
    let service = Service::start(command(directory.path()).env("ROCKET_DATABASES", tables));
    service.get("/hello/John").await.expect_problem(503, "unavailable");
    service.put("/hello/John", birthday("1990-05-17")).await.expect_problem(503, "unavailable");
    service.delete("/hello/John").await.expect_problem(503, "unavailable");
    assert_eq!(service.get("/readyz").await.status, 200);
    assert!(server.resume());
    eventually(HEALS, "it heals", async || service.put("/hello/John", birthday("1990-05-17")).await.status == 204).await;
}
