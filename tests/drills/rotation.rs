//! The password changes under load, and the old one is taken away.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::load::{Kind, Load};
use super::report::{measured, ms};
use super::service_on;
use crate::support::{Secret, block_on, server_with_two_users};

/// The service looks at the files every 2 seconds.
const GRACE: Duration = Duration::from_secs(3 * 2);

#[test]
#[ignore = "a drill: tests/drills/run"]
fn a_rotation_whose_old_login_is_revoked_after_the_grace_fails_no_request() {
    let _alone = super::alone();
    let (_server, database) = server_with_two_users();
    let mut secret = Secret::new("blue", "blue 1");
    let directory = TempDir::new().unwrap();
    let credentials = format!("migrate=false,credentials={:?},", secret.directory.path());
    let service = service_on(&directory, &database.url_as("ignored", "ignored"), &credentials);
    let load = Load::start(service.address, 8, Duration::from_millis(20));
    for (user, other) in [("green", "blue"), ("blue", "green")] {
        load.wait_for(Kind::Save, Instant::now(), GRACE);
        database.run(&format!("alter role {user} login password '{user} 2'"));
        secret.swap(user, &format!("{user} 2"));
        std::thread::sleep(GRACE);
        // What is left of the old user's sessions is ended, and no new one can be made.
        database.run(&format!(
            "alter role {other} nologin password null; select pg_terminate_backend(pid) from pg_stat_activity where usename = '{other}'"
        ));
        std::thread::sleep(Duration::from_secs(1));
    }
    let record = load.stop();
    record.expect_no_failure();
    record.expect_all_kept(&database.url());
    let metrics = block_on(service.get("/metrics")).body;
    assert!(metrics.contains("birthday_store_credential_reloads_total 2\n"), "{metrics}");
    measured(
        "rotation",
        &format!(
            "2 rotations, {} requests, 0 failed; longest pause between saves {}",
            record.events.len(),
            ms(record.gap(Kind::Save))
        ),
    );
}
