//! Backups that are taken while people save, restored and read.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::load::{Kind, Load, expect_all_kept, kept};
use super::pair::back_up;
use super::report::measured;
use super::service_on;
use crate::support::postgresql::Server;
use crate::support::{Database, Service, Store, block_on};

const SAVERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(20);
const SOON: Duration = Duration::from_secs(30);

fn expect_served(service: &Service) {
    assert_eq!(block_on(service.get("/hello/Knowna")).status, 200);
    block_on(service.save("Restored", "1990-05-17"));
    assert_eq!(block_on(service.get("/hello/Restored")).status, 200);
}

/// A load, and what was acknowledged when the backup began.
fn load_on(service: &Service) -> (Load, super::load::Acknowledged) {
    let load = Load::start(service.address, SAVERS, PAUSE);
    std::thread::sleep(Duration::from_secs(1));
    load.wait_for(Kind::Save, Instant::now(), SOON);
    let before = load.acknowledged();
    (load, before)
}

#[test]
#[ignore = "a drill: tests/drills/run"]
fn a_physical_backup_of_postgresql_under_load_has_all_that_was_acknowledged_before_it() {
    let _alone = super::alone();
    let server = Server::start(&[]);
    let directory = TempDir::new().unwrap();
    let service = service_on(&directory, &server.url("postgres"), "migrate=true,");
    let (load, before) = load_on(&service);
    let restored = Server::with_password(server.password.clone(), |at| back_up(&server, &at.join("data")).unwrap(), &[]);
    load.stop().expect_no_failure();
    expect_all_kept(&before, &kept(&restored.url("postgres")));
    expect_served(&service_on(&directory, &restored.url("postgres"), "migrate=true,"));
    measured(
        "physical backup",
        &format!("{} names acknowledged before it, all restored, 0 requests failed meanwhile", before.len()),
    );
}

/// What pg_dump does for a table: one snapshot, COPY out, and COPY in where the schema is.
#[test]
#[ignore = "a drill: tests/drills/run"]
fn a_dump_of_postgresql_under_load_has_all_that_was_acknowledged_before_it() {
    let _alone = super::alone();
    let (database, restored) = (Database::new(Store::PostgreSql).migrated(), Database::new(Store::PostgreSql).migrated());
    let directory = TempDir::new().unwrap();
    let service = service_on(&directory, &database.url(), "");
    let (load, before) = load_on(&service);
    block_on(async {
        let mut from = PgConnection::connect(&database.url()).await.unwrap();
        let mut into = PgConnection::connect(&restored.url()).await.unwrap();
        let mut rows = from.copy_out_raw("copy birthdays to stdout").await.unwrap();
        let mut sink = into.copy_in_raw("copy birthdays from stdin").await.unwrap();
        while let Some(part) = rocket::futures::StreamExt::next(&mut rows).await {
            sink.send(part.unwrap()).await.unwrap();
        }
        sink.finish().await.unwrap();
    });
    load.stop().expect_no_failure();
    expect_all_kept(&before, &kept(&restored.url()));
    expect_served(&service_on(&directory, &restored.url(), ""));
    measured("dump", &format!("{} names acknowledged before it, all restored, 0 requests failed meanwhile", before.len()));
}

#[test]
#[ignore = "a drill: tests/drills/run"]
fn a_copy_of_sqlite_under_load_has_all_that_was_acknowledged_before_it() {
    let _alone = super::alone();
    let directory = TempDir::new().unwrap();
    let url = |name: &str| format!("sqlite://{}", directory.path().join(name).display());
    let service = service_on(&directory, &url("birthdays.db"), "");
    let (load, before) = load_on(&service);
    block_on(async {
        let mut connection = SqliteConnection::connect(&url("birthdays.db")).await.unwrap();
        let copy = sqlx::AssertSqlSafe(format!("vacuum into '{}'", directory.path().join("copy.db").display()));
        sqlx::query(copy).execute(&mut connection).await.unwrap();
    });
    load.stop().expect_no_failure();
    expect_all_kept(&before, &kept(&url("copy.db")));
    expect_served(&service_on(&directory, &url("copy.db"), ""));
    measured(
        "copy of SQLite",
        &format!("{} names acknowledged before it, all restored, 0 requests failed meanwhile", before.len()),
    );
}
