//! `birthday-api migrate`: waits, takes turns, gives up, and leaves a newer schema alone.

use std::process::Command;
use std::time::{Duration, Instant};

use birthday_api::store;
use tempfile::TempDir;

use crate::support::{Database, Ended, Store, TestApp, command, directory, finish, postgresql, random};

const BOTH: [Store; 2] = [Store::Sqlite, Store::PostgreSql];

/// The number of migrations.
fn files(store: Store) -> usize {
    std::fs::read_dir(if store == Store::Sqlite { "migrations/sqlite" } else { "migrations/postgres" }).unwrap().count()
}

fn migrate(directory: &TempDir, url: &str, wait: &str) -> Command {
    let mut migrate = command(directory.path());
    migrate.args(["migrate", "--wait", wait]).env("ROCKET_DATABASES", format!("{{birthdays={{url={url:?}}}}}"));
    migrate
}

/// Exit code 1 and one line from the command itself, after what it logged while it waited.
fn expect_given_up(ended: &Ended) {
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let said: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with("birthday-api: ")).collect();
    assert_eq!(said.len(), 1, "{}", ended.stderr);
    assert!(said[0].contains("the schema cannot be brought up to date"), "{}", said[0]);
}

#[test]
fn several_that_migrate_at_once_are_safe_and_another_changes_nothing() {
    let directory = directory();
    for store in BOTH {
        let database = Database::new(store);
        let migrated = || {
            let ended = finish(&mut migrate(&directory, &database.url(), "60"));
            assert_eq!(ended.code, Some(0), "{store:?}: {}", ended.stderr);
            assert!(ended.stderr.contains("is up to date"), "{}", ended.stderr);
        };
        std::thread::scope(|scope| (0..6).for_each(|_| drop(scope.spawn(migrated))));
        migrated();
        let applied = database.number("select count(*) from _sqlx_migrations where success");
        assert_eq!(usize::try_from(applied), Ok(files(store)), "{store:?}");
        assert_eq!(database.number("select count(*) from birthdays"), 0);
    }
}

#[test]
fn it_waits_for_a_database_that_appears_later() {
    let directory = directory();
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
    let directory = directory();
    // One address refuses connections; the other accepts them and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for (address, least) in [("127.0.0.1:1".to_owned(), 2), (silent.local_addr().unwrap().to_string(), 0)] {
        let asked = Instant::now();
        expect_given_up(&finish(&mut migrate(&directory, &format!("postgres://nobody:pass@{address}/nowhere"), "2")));
        let took = asked.elapsed();
        assert!(took >= Duration::from_secs(least) && took < Duration::from_secs(10), "{address}: {took:?}");
    }
}

#[tokio::test]
async fn another_migration_that_does_not_end_is_not_waited_for_longer_either() {
    let directory = directory();
    for (store, lock) in [(Store::Sqlite, "begin immediate"), (Store::PostgreSql, "begin; lock table _sqlx_migrations")] {
        let database = Database::new(store).migrated();
        let mut other = database.connect().await;
        other.run(lock).await;
        let asked = Instant::now();
        expect_given_up(&finish(&mut migrate(&directory, &database.url(), "2")));
        assert!(asked.elapsed() < Duration::from_secs(6), "{store:?} {:?}", asked.elapsed());
        drop(other);
        assert_eq!(finish(&mut migrate(&directory, &database.url(), "10")).code, Some(0));
        if let Database::Sqlite { directory } = &database {
            for left in std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()) {
                assert!(
                    ["birthdays.db", "birthdays.db-wal", "birthdays.db-shm"].iter().any(|name| left == *name),
                    "{left:?} is left"
                );
            }
        }
    }
}

/// A statement that waits for a lock makes everything behind it wait, too.
#[tokio::test]
async fn a_migration_that_meets_a_lock_steps_back_and_tries_again() {
    let directory = directory();
    let database = Database::new(Store::PostgreSql);
    let mut other = database.connect().await;
    other.run("begin; create table birthdays (id int)").await;
    let mut waiting = migrate(&directory, &database.url(), "60");
    let waiting = std::thread::spawn(move || finish(&mut waiting));
    // Longer than its lock_timeout, which ends the first attempt.
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert!(!waiting.is_finished(), "it tries again");
    other.run("rollback").await;
    let ended = waiting.join().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("lock timeout"), "{}", ended.stderr);
}

/// As `create index concurrently` does, for which no file has a use yet.
#[tokio::test]
async fn a_migration_outside_a_transaction_may_take_longer_than_a_session_may_idle_in_one() {
    let database = Database::new(Store::PostgreSql);
    let name = database.url().rsplit('/').next().unwrap().to_owned();
    database.run(&format!("alter database {name} set idle_in_transaction_session_timeout = '100ms'"));
    // In a transaction, the block may not commit.
    let slow = "-- no-transaction\ndo $$ begin perform pg_sleep(1); commit; end $$";
    let files = [(1, "first", "create table first (n int)"), (2, "slow", slow)];
    let (url, limit) = (database.url().parse().unwrap(), Duration::from_secs(10));
    store::apply_migrations(&files, &url, None, limit, limit).await.unwrap();
    assert_eq!(database.number("select count(*) from _sqlx_migrations where success"), 2);
}

#[tokio::test]
async fn a_schema_newer_than_the_binary_is_served() {
    let directory = directory();
    for store in BOTH {
        let database = Database::new(store).migrated();
        database.run(
            "alter table birthdays add column note text; insert into _sqlx_migrations (version, description, installed_on, success, \
             checksum, execution_time) select 9999, 'from the future', installed_on, success, checksum, 0 from _sqlx_migrations",
        );
        let ended = finish(&mut migrate(&directory, &database.url(), "0"));
        assert_eq!(ended.code, Some(0), "{store:?}: {}", ended.stderr);
        let app = TestApp::with(database, "");
        app.save("John", "1990-11-28").await;
        assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 5 day(s)");
    }
}

#[tokio::test]
async fn a_migration_that_was_changed_after_it_ran_is_refused_at_once() {
    let directory = directory();
    for store in BOTH {
        let database = Database::new(store).migrated();
        database.run("update _sqlx_migrations set checksum = substr(checksum, 2)");
        let asked = Instant::now();
        expect_given_up(&finish(&mut migrate(&directory, &database.url(), "60")));
        assert!(asked.elapsed() < Duration::from_secs(20), "waiting would not help: {:?}", asked.elapsed());
        let tables = format!("{{birthdays={{url={:?},migrate=true}}}}", database.url());
        let served = finish(command(directory.path()).env("ROCKET_DATABASES", tables));
        expect_given_up(&served);
        assert_eq!(served.stderr.lines().count(), 1, "{}", served.stderr);
        assert!(served.stderr.contains("was changed after it had been applied"), "{}", served.stderr);
    }
}

#[test]
fn a_user_who_may_not_create_tables_is_told_so_at_once() {
    let (database, user) = (Database::new(Store::PostgreSql), format!("user_{}", random()));
    database.run(&format!("create role {user} login password 'may connect only'"));
    let asked = Instant::now();
    let ended = finish(&mut migrate(&directory(), &database.url_as(&user, "may connect only"), "60"));
    database.run(&format!("drop role {user}"));
    expect_given_up(&ended);
    assert!(ended.stderr.contains("permission denied") && !ended.stderr.contains("run birthday-api"), "{}", ended.stderr);
    assert!(asked.elapsed() < Duration::from_secs(20), "waiting would not help: {:?}", asked.elapsed());
}
