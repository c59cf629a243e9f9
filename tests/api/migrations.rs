//! `birthday-api migrate`: waits, takes turns, gives up, and leaves a newer schema alone.

use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, SqliteConnection, raw_sql};
use tempfile::TempDir;

use crate::support::{Database, Ended, Service, Store, TestApp, command, finish, postgresql};

const BOTH: [Store; 2] = [Store::Sqlite, Store::PostgreSql];

fn migrate(directory: &TempDir, url: &str, wait: &str) -> Command {
    let mut migrate = command(directory.path());
    migrate.args(["migrate", "--wait", wait]).env("ROCKET_DATABASES", format!("{{birthdays={{url={url:?}}}}}"));
    migrate
}

/// Exit code 1 and one line from the command itself, below what was logged while it waited.
fn expect_given_up(ended: &Ended) {
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let told: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with("birthday-api: ")).collect();
    assert_eq!(told.len(), 1, "{}", ended.stderr);
    assert!(told[0].contains("the schema cannot be brought up to date"), "{}", told[0]);
}

#[test]
fn migrating_again_changes_nothing_and_says_so() {
    let directory = TempDir::new().unwrap();
    for store in BOTH {
        let database = Database::new(store);
        for _ in 0..2 {
            let ended = finish(&mut migrate(&directory, &database.url(), "0"));
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
            assert!(ended.stderr.contains("is up to date"), "{}", ended.stderr);
        }
        assert_eq!(database.number("select count(*) from _sqlx_migrations where success"), 1);
        assert_eq!(database.number("select count(*) from birthdays"), 0);
    }
}

#[test]
fn several_that_migrate_at_once_are_safe() {
    let directory = TempDir::new().unwrap();
    for store in BOTH {
        let database = Database::new(store);
        std::thread::scope(|scope| {
            let started: Vec<_> =
                (0..6).map(|_| scope.spawn(|| finish(&mut migrate(&directory, &database.url(), "60")))).collect();
            for ended in started.into_iter().map(|thread| thread.join().unwrap()) {
                assert_eq!(ended.code, Some(0), "{store:?}: {}", ended.stderr);
            }
        });
        assert_eq!(database.number("select count(*) from _sqlx_migrations"), 1, "{store:?}");
    }
}

#[test]
fn it_waits_for_a_database_that_appears_later() {
    let directory = TempDir::new().unwrap();
    let mut server = postgresql::Server::start(&[]);
    server.stop("INT");
    let url = server.url("postgres");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| finish(&mut migrate(&directory, &url, "60")));
        std::thread::sleep(Duration::from_secs(2));
        assert!(!waiting.is_finished(), "it waits");
        assert!(server.resume());
        let ended = waiting.join().unwrap();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("waiting for the database"), "{}", ended.stderr);
    });
}

#[test]
fn it_gives_up_after_the_time_it_was_given() {
    let directory = TempDir::new().unwrap();
    let asked = Instant::now();
    expect_given_up(&finish(&mut migrate(&directory, "postgres://nobody:pass@127.0.0.1:1/nowhere", "2")));
    assert!(asked.elapsed() >= Duration::from_secs(2) && asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());

    // A server that accepts the connection and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://nobody:pass@{}/nowhere", silent.local_addr().unwrap());
    let asked = Instant::now();
    expect_given_up(&finish(&mut migrate(&directory, &url, "2")));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn another_migration_that_does_not_end_is_not_waited_for_longer_either() {
    let directory = TempDir::new().unwrap();
    for store in BOTH {
        let database = Database::new(store).migrated();
        let (mut sqlite, mut postgres) = (None, None);
        match store {
            Store::Sqlite => {
                let mut held = SqliteConnection::connect(&database.url()).await.unwrap();
                raw_sql("begin immediate").execute(&mut held).await.unwrap();
                sqlite = Some(held);
            }
            Store::PostgreSql => {
                let mut held = PgConnection::connect(&database.url()).await.unwrap();
                raw_sql("begin; lock table _sqlx_migrations").execute(&mut held).await.unwrap();
                postgres = Some(held);
            }
        }
        let asked = Instant::now();
        expect_given_up(&finish(&mut migrate(&directory, &database.url(), "2")));
        assert!(asked.elapsed() < Duration::from_secs(6), "{store:?} {:?}", asked.elapsed());
        drop((sqlite.take(), postgres.take()));
        assert_eq!(finish(&mut migrate(&directory, &database.url(), "10")).code, Some(0));
    }
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A statement that waits for a lock has everything behind it wait, too.
#[tokio::test]
async fn a_migration_that_meets_a_lock_steps_back_and_tries_again() {
    let directory = TempDir::new().unwrap();
    let database = Database::new(Store::PostgreSql);
    let mut other = PgConnection::connect(&database.url()).await.unwrap();
    raw_sql("begin; create table birthdays (id int)").execute(&mut other).await.unwrap();
    let mut waiting = migrate(&directory, &database.url(), "60");
    let waiting = std::thread::spawn(move || finish(&mut waiting));
    // Longer than its lock_timeout, which ends the first try.
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert!(!waiting.is_finished(), "it tries again");
    raw_sql("rollback").execute(&mut other).await.unwrap();
    let ended = waiting.join().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("lock timeout"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_schema_newer_than_the_binary_is_served() {
    let directory = TempDir::new().unwrap();
    for store in BOTH {
        let database = Database::new(store).migrated();
        let now = if store == Store::Sqlite { "'2030-01-01'" } else { "now()" };
        let checksum = if store == Store::Sqlite { "x'00'" } else { "'\\x00'" };
        database.run(&format!(
            "alter table birthdays add column note text; insert into _sqlx_migrations (version, description, installed_on, success, \
             checksum, execution_time) values (9999, 'from the future', {now}, true, {checksum}, 0)"
        ));
        let ended = finish(&mut migrate(&directory, &database.url(), "0"));
        assert_eq!(ended.code, Some(0), "{store:?}: {}", ended.stderr);
        let app = TestApp::with(database, "");
        app.save("John", "1990-11-28").await;
        assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 5 day(s)");
    }
}

#[tokio::test]
async fn a_migration_that_was_changed_after_it_ran_is_refused_at_once() {
    let directory = TempDir::new().unwrap();
    for store in BOTH {
        let database = Database::new(store).migrated();
        database
            .run(&format!("update _sqlx_migrations set checksum = {}", if store == Store::Sqlite { "x'00'" } else { "'\\x00'" }));
        let asked = Instant::now();
        expect_given_up(&finish(&mut migrate(&directory, &database.url(), "60")));
        assert!(asked.elapsed() < Duration::from_secs(20), "waiting would not help: {:?}", asked.elapsed());
    }
}

#[tokio::test]
async fn services_that_start_at_once_on_a_new_file_all_serve() {
    let directory = TempDir::new().unwrap();
    let services: Vec<Service> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..4).map(|_| scope.spawn(|| Service::start(&mut command(directory.path())))).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (service, name) in services.iter().zip(["Ann", "Bob", "Cid", "Dan"]) {
        service.save(name, "1990-05-17").await;
    }
    for name in ["Ann", "Bob", "Cid", "Dan"] {
        assert_eq!(services[0].get(&format!("/hello/{name}")).await.status, 200);
    }
}
