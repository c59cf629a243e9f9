//! A new version goes out while the service is used: instances are replaced one by one, and the schema changes under them.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::balancer::Balancer;
use super::load::{Kind, Load};
use super::report::{measured, ms};
use super::service_with;
use crate::support::{Database, Store, command};

const SAVERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(40);
const SOON: Duration = Duration::from_secs(30);

#[test]
#[ignore = "a drill: tests/drills/run"]
fn a_rolling_restart_of_both_instances_fails_no_request() {
    let _alone = super::alone();
    let database = Database::new(Store::PostgreSql).migrated();
    let directory = TempDir::new().unwrap();
    let start = || service_with(command(directory.path()).env("ROCKET_LIFECYCLE", "{drain=2}"), &database.url(), "");
    let mut instances = [start(), start()];
    let balancer = Balancer::start(&[instances[0].address, instances[1].address]);
    let load = Load::start(balancer.address, SAVERS, PAUSE);
    for instance in &mut instances {
        load.wait_for(Kind::Save, Instant::now(), SOON);
        instance.signal(Signal::SIGTERM);
        assert_eq!(instance.ended(SOON).code(), Some(0), "{}", instance.log());
        let old = instance.address;
        *instance = start();
        balancer.replace(old, instance.address);
    }
    load.wait_for(Kind::Save, Instant::now(), SOON);
    let record = load.stop();
    record.expect_no_failure();
    assert_eq!(balancer.refused(), 0, "connections were led to an instance that had closed its door");
    record.expect_all_kept(&database.url());
    measured(
        "rolling restart",
        &format!("2 of 2 instances, {} requests, 0 failed, slowest {}", record.events.len(), ms(record.slowest())),
    );
}

/// Expand and contract: what a release adds is unused by the release before it, and what it removes was unused by that.
#[test]
#[ignore = "a drill: tests/drills/run"]
fn a_schema_that_grows_and_shrinks_under_two_versions_fails_no_request() {
    let _alone = super::alone();
    let database = Database::new(Store::PostgreSql).migrated();
    let directory = TempDir::new().unwrap();
    let instances = [(); 2].map(|()| service_with(&mut command(directory.path()), &database.url(), ""));
    let balancer = Balancer::start(&[instances[0].address, instances[1].address]);
    let load = Load::start(balancer.address, SAVERS, PAUSE);
    for change in [
        "alter table birthdays add column note text",
        "alter table birthdays add column seen timestamptz not null default now()",
        "create index concurrently by_date on birthdays (date_of_birth)",
        "drop index concurrently by_date",
        "alter table birthdays drop column seen",
        "alter table birthdays drop column note",
    ] {
        load.wait_for(Kind::Save, Instant::now(), SOON);
        database.run(change);
    }
    load.wait_for(Kind::Save, Instant::now(), SOON);
    load.wait_for(Kind::Lookup, Instant::now(), SOON);
    let record = load.stop();
    record.expect_no_failure();
    record.expect_all_kept(&database.url());
    measured("schema changes", &format!("6 under load, {} requests, 0 failed", record.events.len()));
}
