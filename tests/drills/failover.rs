//! The primary dies: nothing that was acknowledged is lost, the replica answers lookups, and the service recovers by itself.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::load::{Acknowledged, Kind, Load, Record, expect_all_kept, kept};
use super::proxy::{Fault, Proxy};
use super::{DEADLINE, ms, repetitions, service_on, through};
use crate::support::pair::{Pair, address};
use crate::support::{HEALS, Service, birthday, block_on, eventually, run};

const SAVERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(20);

struct Failover {
    record: Record,
    without_saves: Duration,
    without_lookups: Duration,
}

/// Kills the primary under load, promotes the standby after `dead`, and moves the address.
fn fail_over(pair: &mut Pair, proxy: &Proxy, service: &Service, dead: Duration) -> Failover {
    // The last standby was added while the primary was stopped.
    let saves = async || service.put("/hello/John", birthday("1990-05-17")).await.status == 204;
    block_on(eventually(HEALS, "it saves", saves));
    let load = Load::start(service.address, SAVERS, PAUSE);
    load.wait_for(Kind::Save, Instant::now(), HEALS);
    let killed = Instant::now();
    pair.primary.stop("KILL");
    std::thread::sleep(dead);
    pair.promote();
    proxy.retarget(address(&pair.primary));
    let moved = Instant::now();
    load.wait_for(Kind::Save, moved, HEALS);
    load.wait_for(Kind::Lookup, moved, HEALS);
    let record = load.stop();
    assert!(record.events.iter().any(|event| event.sent > killed && event.succeeded()));
    record.expect_all_kept(&pair.url());
    assert!(record.slowest() < 3 * DEADLINE, "a request waited {:?}", record.slowest());
    Failover { without_saves: record.gap(Kind::Save), without_lookups: record.gap(Kind::Lookup), record }
}

#[test]
#[ignore = "a drill: just drills"]
fn no_acknowledged_save_is_lost_when_the_primary_is_killed_and_its_standby_promoted() {
    let mut pair = Pair::start();
    let (directory, proxy) = (TempDir::new().unwrap(), Proxy::start(address(&pair.primary)));
    let service = service_on(&directory, &through(&proxy, &pair.url()), "migrate=true,");
    let rounds = repetitions(1);
    let mut acknowledged = Acknowledged::new();
    let (mut saves, mut failures, mut longest) = (0, 0, Duration::ZERO);
    for round in 1..=rounds {
        let over = fail_over(&mut pair, &proxy, &service, Duration::ZERO);
        for how in over.record.failures().keys() {
            assert!(how.ends_with(" 503"), "a request that cannot be answered is a 503, not: {:?}", over.record.failures());
        }
        saves += over.record.events.iter().filter(|event| event.kind == Kind::Save && event.succeeded()).count();
        failures += over.record.failures().values().sum::<usize>();
        longest = longest.max(over.without_saves);
        acknowledged.extend(over.record.acknowledged.clone());
        expect_all_kept(&acknowledged, &kept(&pair.url()));
        measured!(
            "failover",
            "round {round} of {rounds}: 0 lost; without saves {}, without lookups {}, failures {:?}",
            ms(over.without_saves),
            ms(over.without_lookups),
            over.record.failures()
        );
        pair.add_standby();
    }
    measured!(
        "failover",
        "{rounds} failovers: {saves} saves acknowledged, 0 lost; {failures} requests 503; at most {} without saves",
        ms(longest)
    );
}

#[test]
#[ignore = "a drill: just drills"]
fn lookups_go_on_at_the_replica_while_the_primary_is_dead_and_return_to_the_new_one() {
    let mut pair = Pair::start();
    let (directory, proxy) = (TempDir::new().unwrap(), Proxy::start(address(&pair.primary)));
    let replica = format!("migrate=true,replica_url={:?},", pair.standby.as_ref().unwrap().url("postgres"));
    let service = service_on(&directory, &through(&proxy, &pair.url()), &replica);
    let over = fail_over(&mut pair, &proxy, &service, Duration::from_secs(3));
    let lookups = || over.record.events.iter().filter(|event| event.kind == Kind::Lookup);
    let by_replica = lookups().filter(|event| event.from_replica).count();
    assert!(by_replica > 20, "only {by_replica} lookups were answered by the replica");
    assert_eq!(lookups().filter(|event| !event.succeeded()).count(), 0, "{:?}", over.record.failures());
    assert!(!lookups().next_back().unwrap().from_replica, "the new primary answers in the end");
    let (without_saves, without_lookups) = (over.without_saves, over.without_lookups);
    assert!(without_lookups < without_saves, "{without_lookups:?} {without_saves:?}");
    measured!(
        "replica",
        "dead for 3 s: 0 lookups failed, {by_replica} by the replica, none for {}; no saves for {}",
        ms(without_lookups),
        ms(without_saves)
    );
}

/// DNS may lead to the old primary for a while, which comes back as a standby.
#[test]
#[ignore = "a drill: just drills"]
fn a_name_that_leads_to_a_standby_is_an_outage_that_ends_when_it_leads_to_the_primary() {
    let pair = Pair::start();
    let (directory, proxy) = (TempDir::new().unwrap(), Proxy::start(address(&pair.primary)));
    let service = service_on(&directory, &through(&proxy, &pair.url()), "migrate=true,");
    block_on(service.save("John", "1990-05-17"));
    proxy.retarget(address(pair.standby.as_ref().unwrap()));
    // The open connections close, and new ones lead to the standby.
    proxy.set(Fault::Cut(0));
    let refused = Instant::now();
    while refused.elapsed() < Duration::from_secs(2) {
        block_on(service.put("/hello/John", birthday("1990-05-18"))).expect_problem(503, "unavailable");
    }
    proxy.retarget(address(&pair.primary));
    let moved = Instant::now();
    let saves = async || service.put("/hello/John", birthday("1990-05-19")).await.status == 204;
    block_on(eventually(HEALS, "it leaves the standby", saves));
    measured!("standby", "saves again {} after the name leads to the primary", ms(moved.elapsed()));
}

/// Otherwise, repeating a refused save could get it acknowledged although the standby does not have it.
#[test]
#[ignore = "a drill: just drills"]
fn what_the_standby_does_not_have_is_not_acknowledged_however_often_it_is_saved() {
    let mut pair = Pair::start();
    let directory = TempDir::new().unwrap();
    let service = service_on(&directory, &pair.url(), "migrate=true,");
    block_on(service.save("John", "1990-05-17"));
    pair.standby.as_mut().unwrap().stop("KILL");
    let unsure = async || service.put("/hello/John", birthday("1990-05-18")).await.expect_problem(503, "unavailable");
    block_on(unsure());
    // This ends the waiting sessions and thereby the wait: the row is there, but only on this server.
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'birthday-api'";
    run(&pair.url(), end);
    for _ in 0..3 {
        block_on(unsure());
        run(&pair.url(), end);
    }
    measured!("standby away", "a save is 503, and the same save again is 503, until the standby is back");
}
