//! The network to the database fails: every request is answered before its deadline, no connection leaks, the service recovers.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use super::load::{Kind, Load, Record};
use super::proxy::{Fault, Proxy};
use super::{DEADLINE, database_address, ms, service_on, service_with, through};
use crate::support::{Database, HEALS, Service, Store, binary, block_on, command_by, eventually, number};

const SAVERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(40);
/// The service's own connections (`max_connections` is 4), and one that probes whether the database is back.
const CONNECTIONS: i64 = 5;

struct Drill {
    proxy: Proxy,
    service: Service,
    database: Database,
    _directory: TempDir,
}

struct Outcome {
    record: Record,
    /// From the end of the fault to the next success.
    healed_after: Duration,
    /// Connections attempted while the fault lasted.
    attempts: usize,
}

impl Drill {
    fn start() -> Self {
        let database = Database::new(Store::PostgreSql).migrated();
        let (directory, proxy) = (TempDir::new().unwrap(), Proxy::start(database_address(&database.url())));
        let service = service_on(&directory, &through(&proxy, &database.url()), "");
        let drill = Self { proxy, service, database, _directory: directory };
        block_on(eventually(HEALS, "it connects", async || drill.sessions() >= CONNECTIONS - 1));
        drill
    }

    /// Applies `fault` for `time` under load, then clears it. Checks what must hold after every fault.
    fn during(&self, fault: Fault, time: Duration) -> Outcome {
        let before = self.descriptors();
        let load = Load::start(self.service.address, SAVERS, PAUSE);
        load.wait_for(Kind::Save, Instant::now(), HEALS);
        let accepted = self.proxy.accepted();
        self.proxy.set(fault);
        std::thread::sleep(time);
        let attempts = self.proxy.accepted() - accepted;
        self.proxy.set(Fault::None);
        let ended = Instant::now();
        let healed_after = load.wait_for(Kind::Save, ended, HEALS).max(load.wait_for(Kind::Lookup, ended, HEALS));
        std::thread::sleep(Duration::from_secs(1));
        let record = load.stop();
        assert!(record.slowest() < 3 * DEADLINE, "{fault:?}: a request waited {:?}", record.slowest());
        let unclear: Vec<_> = record.failures().into_keys().filter(|how| !how.ends_with(" 503")).collect();
        assert!(unclear.is_empty(), "{fault:?}: a request that cannot be answered is a 503, not {unclear:?}");
        record.expect_all_kept(&self.database.url());
        self.expect_no_leak(before);
        Outcome { record, healed_after, attempts }
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.service.id())).unwrap().count()
    }

    fn sessions(&self) -> i64 {
        let ours =
            "select count(*) from pg_stat_activity where application_name = 'birthday-api' and datname = current_database()";
        number(&self.database.url(), ours)
    }

    /// Connections that the service has given up soon disappear on both sides.
    fn expect_no_leak(&self, before: usize) {
        let started = Instant::now();
        loop {
            let (descriptors, sessions) = (self.descriptors(), self.sessions());
            if sessions <= CONNECTIONS && descriptors <= before + 2 {
                return;
            }
            assert!(started.elapsed() < HEALS, "{sessions} sessions; {descriptors} descriptors, before the fault {before}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn report(what: &str, outcome: &Outcome) {
    let Outcome { record, healed_after, attempts } = outcome;
    let (all, failures) = (record.events.len(), record.failures());
    measured!(
        what,
        "{all} requests, failures {failures:?}; slowest {}, healthy {} after the end, {attempts} connections tried meanwhile",
        ms(record.slowest()),
        ms(*healed_after)
    );
}

#[test]
#[ignore = "a drill: just drills"]
fn when_packets_stop_every_request_is_503_in_time_and_the_return_is_noticed_without_a_stampede() {
    let drill = Drill::start();
    let outcome = drill.during(Fault::BlackHole, Duration::from_secs(8));
    assert!(outcome.record.failures().contains_key("Save 503") && outcome.record.failures().contains_key("Lookup 503"));
    assert!(outcome.healed_after < Duration::from_secs(9), "healthy only after {:?}", outcome.healed_after);
    // Each worker finds out for itself; then one probe runs every second.
    assert!(outcome.attempts <= 3 * 8, "{} connections were tried", outcome.attempts);
    // Once the database is known to be away, requests do not wait for it: quick answers far outnumber those that waited.
    let failed = outcome.record.events.iter().filter(|event| !event.succeeded());
    let (quick, slow): (Vec<_>, Vec<_>) = failed.partition(|event| event.took < DEADLINE / 4);
    assert!(quick.len() > 3 * slow.len(), "{} were refused quickly, {} waited", quick.len(), slow.len());
    report("black hole 8 s", &outcome);
}

#[test]
#[ignore = "a drill: just drills"]
fn connections_that_are_cut_between_or_within_answers_fail_no_request() {
    let drill = Drill::start();
    let load = Load::start(drill.service.address, SAVERS, PAUSE);
    for length in [0, 0, 0, 1, 5, 17, 64, 200] {
        load.wait_for(Kind::Save, Instant::now(), HEALS);
        drill.proxy.set(Fault::Cut(length));
        std::thread::sleep(Duration::from_millis(300));
    }
    let record = load.stop();
    assert!(record.failures().is_empty(), "{:?}", record.failures());
    record.expect_all_kept(&drill.database.url());
    measured!("connections cut 8 times", "{} requests, 0 failed", record.events.len());
}

#[test]
#[ignore = "a drill: just drills"]
fn a_database_that_refuses_or_resets_connections_is_503_at_once() {
    let drill = Drill::start();
    for fault in [Fault::Refuse, Fault::Reset] {
        let outcome = drill.during(fault, Duration::from_secs(4));
        assert!(outcome.healed_after < Duration::from_secs(6), "healthy only after {:?}", outcome.healed_after);
        assert!(outcome.attempts <= 3 * 8, "{} connections were tried", outcome.attempts);
        report(&format!("{fault:?} 4 s").to_lowercase(), &outcome);
    }
}

/// The names of a network in which every question to the resolver is lost.
#[test]
#[ignore = "a drill: just drills"]
fn a_stop_does_not_wait_for_a_name_that_is_being_resolved() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("resolv.conf"), "nameserver 192.0.2.2\n").unwrap();
    let mut inside = command_by(Path::new("unshare"), directory.path());
    let lost = "ip link set lo up && ip route add 192.0.2.2 dev lo && mount --bind resolv.conf /etc/resolv.conf && exec \"$0\"";
    inside.args(["--map-root-user", "--net", "--mount", "--", "sh", "-c", lost]).arg(binary());
    let mut service = service_with(inside.env("ROCKET_SHUTDOWN", "{grace=2,mercy=1}"), "postgres://u:p@database.example/x", "");
    service.line("trying again every second");
    // The probe asks the resolver.
    std::thread::sleep(Duration::from_millis(1500));
    let asked = Instant::now();
    service.signal(Signal::TERM);
    assert_eq!(service.ended(Duration::from_secs(4)).code(), Some(0));
    measured!("stop while a name is resolved", "ended after {}", ms(asked.elapsed()));
}
