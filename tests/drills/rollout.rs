//! The schema changes under a service that is used.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::load::{Kind, Load};
use super::report::measured;
use super::service_on;
use crate::support::{Database, Store};

const SAVERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(40);
const SOON: Duration = Duration::from_secs(30);

/// Expand and contract: what a release adds is unused by the release before it, and what it removes was unused by that.
#[test]
#[ignore = "a drill: just drills"]
fn a_schema_that_grows_and_shrinks_under_load_fails_no_request() {
    let database = Database::new(Store::PostgreSql).migrated();
    let directory = TempDir::new().unwrap();
    let service = service_on(&directory, &database.url(), "");
    let load = Load::start(service.address, SAVERS, PAUSE);
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
    measured!("schema changes", "6 under load, {} requests, 0 failed", record.events.len());
}
