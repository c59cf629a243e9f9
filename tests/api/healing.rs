//! Faults of single connections while the database runs: the service recovers by itself.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rocket::futures::future::join_all;

use crate::drills::proxy::{Fault, Proxy};
use crate::drills::{database_address, service_on, through};
use crate::support::{Client, Database, HEALS, JSON, Store, TestApp, app_with_secret, birthday, directory, eventually};

/// Returns when they are gone.
const END_SESSIONS: &str = "select pg_terminate_backend(pid, 10000) from pg_stat_activity \
    where datname = current_database() and pid <> pg_backend_pid()";

/// A service on a new database, with these database settings.
fn quick(store: Store, settings: &str) -> TestApp {
    TestApp::with(Database::new(store), &format!("[default.databases.birthdays]\n{settings}"))
}

/// The same, with PostgreSQL behind a proxy.
fn behind_proxy(settings: &str) -> (Proxy, TestApp) {
    let database = Database::new(Store::PostgreSql);
    let proxy = Proxy::start(database_address(&database.url()));
    let url = through(&proxy, &database.url());
    let app = TestApp::at(database, &url, &format!("[default.databases.birthdays]\n{settings}"));
    (proxy, app)
}

async fn status_of_get_and_put(app: &TestApp) -> (u16, u16) {
    (app.get("/hello/John").await.status, app.put("/hello/John", birthday("1990-11-28")).await.status)
}

async fn away(client: &Client) -> bool {
    client.get("/metrics").await.body.contains("birthday_store_away{server=\"primary\"} 1\n")
}

/// Each change is made without the service's knowledge; then a lookup and a save use connections that were used before.
#[tokio::test]
async fn what_happens_to_sessions_and_to_the_schema_fails_no_request() {
    let app = TestApp::start(Store::PostgreSql);
    let name = app.database.url().rsplit('/').next().unwrap().to_owned();
    app.save("John", "1990-11-28").await;
    for (change, pause) in [
        // 57P05
        (format!("alter database {name} set idle_session_timeout = '1s'"), 2),
        // 0A000: the result of a cached plan has another type
        ("alter table birthdays alter column username type varchar(64)".to_owned(), 0),
        ("alter table birthdays drop constraint birthdays_username_check, alter column username type text".to_owned(), 0),
        // Expand and contract: the previous release uses neither what a release adds nor what it removes.
        ("alter table birthdays add column note text, add column seen timestamptz not null default now()".to_owned(), 0),
        ("create index concurrently by_date on birthdays (date_of_birth)".to_owned(), 0),
        ("alter table birthdays drop column seen, drop column note".to_owned(), 0),
    ] {
        assert_eq!(status_of_get_and_put(&app).await, (200, 204), "before {change}");
        app.database.run(&change);
        if change.contains("timeout") {
            // It applies only to new sessions.
            app.database.run(END_SESSIONS);
            assert_eq!(status_of_get_and_put(&app).await, (200, 204));
        }
        tokio::time::sleep(Duration::from_secs(pause)).await;
        for _ in 0..3 {
            assert_eq!(status_of_get_and_put(&app).await, (200, 204), "after {change}");
        }
    }
    assert!(!away(&app).await);
}

#[tokio::test]
async fn connections_that_were_lost_in_silence_cost_one_slow_answer_in_all() {
    let (proxy, app) = behind_proxy("connect_timeout = 5\nquery_timeout = 1\nmax_connections = 8");
    for _ in 0..5 {
        app.save("John", "1990-11-28").await;
        assert_eq!(app.get("/hello/John").await.status, 200);
    }
    proxy.set(Fault::HalfOpen);
    let mut slow = 0;
    for _ in 0..20 {
        let asked = Instant::now();
        let answer = app.get("/hello/John").await;
        slow += u32::from(answer.status != 200 || asked.elapsed() > Duration::from_millis(900));
    }
    app.save("John", "1990-11-28").await;
    assert!(slow <= 1, "{slow} slow or failed answers");
}

/// A row that another transaction changes under `repeatable read` is a serialization failure (40001) for the service.
#[tokio::test]
async fn a_serialization_failure_is_tried_again_on_the_same_connection() {
    let app = TestApp::start(Store::PostgreSql);
    let name = app.database.url().rsplit('/').next().unwrap().to_owned();
    app.save("John", "1990-11-28").await;
    app.database.run(&format!("alter database {name} set default_transaction_isolation = 'repeatable read'"));
    app.database.run(END_SESSIONS);
    app.save("John", "1990-11-27").await;
    eventually(HEALS, "all sessions are back", async || app.database.select(SESSIONS).await == 4).await;
    let (before, retried) = (app.database.select(LATEST_SESSION).await, retries(&app).await);
    let mut other = app.database.connect().await;
    other.run("begin; update birthdays set date_of_birth = '1980-01-01'").await;
    let release = async {
        let waiting = format!("{SESSIONS} and wait_event_type = 'Lock'");
        eventually(HEALS, "the save waits", async || app.database.select(&waiting).await == 1).await;
        other.run("commit").await;
    };
    let (saved, ()) = tokio::join!(app.put("/hello/John", birthday("1990-11-26")), release);
    assert_eq!(saved.status, 204);
    assert_eq!(
        (app.database.select(LATEST_SESSION).await, retries(&app).await),
        (before, retried + 1),
        "no session was replaced"
    );
    assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 3 day(s)");
}

/// The save locks John's row and waits for a second table, whose holder then waits for John's row. PostgreSQL cancels the one whose
/// `deadlock_timeout` ends first. Only the first attempt wants the second table, so the retry cannot deadlock again.
#[tokio::test]
async fn a_deadlock_is_tried_again_on_the_same_connection() {
    let app = TestApp::start(Store::PostgreSql);
    app.save("John", "1990-11-28").await;
    app.database.run(
        "create table second (n int); insert into second values (0); create sequence attempts; \
         create function want() returns trigger language plpgsql set deadlock_timeout = '3s' as $$ begin \
            if nextval('attempts') = 1 then update second set n = 1; end if; return new; end $$; \
         create trigger want after update on birthdays for each row execute function want()",
    );
    eventually(HEALS, "all sessions are there", async || app.database.select(SESSIONS).await == 4).await;
    let before = app.database.select(LATEST_SESSION).await;
    let mut other = app.database.connect().await;
    other.run("set deadlock_timeout = '1h'; begin; update second set n = 2").await;
    let meet = async {
        let waiting = format!("{SESSIONS} and wait_event_type = 'Lock'");
        eventually(HEALS, "the save waits", async || app.database.select(&waiting).await == 1).await;
        other.run("update birthdays set date_of_birth = '1980-01-01'").await;
        other.run("commit").await;
    };
    let (saved, ()) = tokio::join!(app.put("/hello/John", birthday("1990-11-26")), meet);
    assert_eq!(saved.status, 204);
    assert_eq!((app.database.select(LATEST_SESSION).await, retries(&app).await), (before, 1), "no session was replaced");
}

/// 26000 and 42P05: a trigger does in the service's own session what a pooler or an administrator may do to it.
#[tokio::test]
async fn prepared_statements_that_are_gone_or_whose_names_are_taken_fail_no_request() {
    let taken = "for n in 2..9 loop if not exists (select from pg_prepared_statements where name = format('sqlx_s_%s', n)) \
        then execute format('prepare sqlx_s_%s as select 1', n); end if; end loop";
    for fault in ["deallocate all", taken] {
        let app = quick(Store::PostgreSql, "max_connections = 2");
        app.save("John", "1990-11-28").await;
        app.database.run(&format!(
            "create function fault() returns trigger language plpgsql as $$ begin {fault}; return new; end $$; \
             create trigger fault before insert on birthdays for each row execute function fault()"
        ));
        app.save("John", "1990-11-27").await;
        assert_eq!(app.delete("/hello/John").await.status, 204, "{fault}");
        app.save("John", "1990-11-26").await;
        assert_eq!(retries(&app).await, 1, "{fault}");
    }
}

/// Both were executed: a second creation would be refused because of the first, and a second deletion finds nothing, so that the
/// server would not wait for its standby.
#[tokio::test]
async fn a_create_only_save_or_a_deletion_whose_answer_was_lost_is_503_and_not_sent_again() {
    let (proxy, app) = behind_proxy("max_connections = 2");
    let create = async |path| app.call("PUT", path, &[JSON, ("If-None-Match", "*")], birthday("1990-11-28")).await;
    assert_eq!(create("/hello/John").await.status, 204);
    // The answer to the connection check is 75 bytes long.
    proxy.set(Fault::Cut(80));
    create("/hello/Mary").await.expect_problem(503, "unavailable");
    assert_eq!(app.database.select("select count(*) from birthdays where username = 'Mary'").await, 1);
    assert_eq!(create("/hello/Mary").await.status, 412);

    assert_eq!(app.delete("/hello/John").await.status, 204);
    proxy.set(Fault::Cut(80));
    app.delete("/hello/Mary").await.expect_problem(503, "unavailable");
    assert_eq!(app.database.select("select count(*) from birthdays").await, 0);
    assert_eq!(app.delete("/hello/Mary").await.status, 404);
}

#[tokio::test]
async fn a_create_only_save_and_a_deletion_work_on_after_the_server_ended_the_session() {
    let app = TestApp::start(Store::PostgreSql);
    app.save("John", "1990-11-28").await;
    for (method, status) in [("PUT", 204), ("PUT", 412), ("DELETE", 204), ("DELETE", 404)] {
        app.database.run(END_SESSIONS);
        let headers: &[_] = if method == "PUT" { &[JSON, ("If-None-Match", "*")] } else { &[] };
        let answer = app.call(method, "/hello/Mary", headers, birthday("1990-11-28")).await;
        assert_eq!(answer.status, status, "{method}: {}", answer.body);
    }
}

async fn retries(app: &TestApp) -> u32 {
    let metrics = app.get("/metrics").await.body;
    let count = metrics.lines().find_map(|line| line.strip_prefix("birthday_store_retries_total "));
    count.expect("a count").parse().unwrap()
}

/// As a load balancer does whose server is away.
#[tokio::test]
async fn a_server_that_resets_every_connection_is_known_to_be_away_and_not_tried_twice() {
    let (proxy, app) = behind_proxy("max_connections = 2");
    app.save("John", "1990-11-28").await;
    proxy.set(Fault::Reset);
    app.get("/hello/John").await.expect_problem(503, "unavailable");
    // Two probes are reset meanwhile.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let before = retries(&app).await;
    app.get("/hello/John").await.expect_problem(503, "unavailable");
    assert_eq!((retries(&app).await, away(&app).await), (before, true));
    proxy.set(Fault::None);
    eventually(HEALS, "it heals", async || app.get("/hello/John").await.status == 200).await;
}

const SESSIONS: &str =
    "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'birthday-api'";
const LATEST_SESSION: &str = "select max(extract(epoch from backend_start) * 1000000)::int8 from pg_stat_activity \
    where datname = current_database() and application_name = 'birthday-api'";

#[tokio::test]
async fn while_the_server_is_read_only_lookups_keep_their_sessions_and_saves_come_back() {
    let app = TestApp::start(Store::PostgreSql);
    let name = app.database.url().rsplit('/').next().unwrap().to_owned();
    app.save("John", "1990-11-28").await;
    assert_eq!(app.get("/hello/John").await.status, 200);
    app.database.run(&format!("alter database {name} set default_transaction_read_only = on"));
    app.database.run(END_SESSIONS);
    for _ in 0..3 {
        app.put("/hello/John", birthday("1990-11-28")).await.expect_problem(503, "unavailable");
        assert_eq!(app.get("/hello/John").await.status, 200);
        assert!(!away(&app).await);
    }
    app.database.run(&format!("begin read write; alter database {name} reset default_transaction_read_only; commit"));
    app.save("John", "1990-11-29").await;
}

/// The server ends one session and, after this `change`, accepts none in its place.
async fn loses_one_session_and_one_answer(app: &TestApp, change: impl Fn()) {
    eventually(HEALS, "all sessions are there", async || app.database.select(SESSIONS).await == 4).await;
    app.save("John", "1990-11-28").await;
    assert_eq!(app.get("/hello/John").await.status, 200);
    change();
    app.database.run(&format!("{END_SESSIONS} and query like 'select username%' order by query_start desc limit 1"));
    app.get("/hello/John").await.expect_problem(503, "unavailable");
    for _ in 0..5 {
        assert_eq!(status_of_get_and_put(app).await, (200, 204));
        let lookups = join_all((0..64).map(|_| app.get("/hello/John"))).await;
        assert!(lookups.iter().all(|lookup| lookup.status == 200));
        // The sessions meanwhile try again, once a second each.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_replaced_for_lack_of_room_costs_one_answer_and_the_others_do_its_work() {
    let (server, _secret, app) = app_with_secret("blue 1");
    loses_one_session_and_one_answer(&app, || app.database.run("alter role blue connection limit 3")).await;
    assert!(!away(&app).await);
    app.database.run("alter role blue connection limit 0");
    app.database.run(END_SESSIONS);
    let refusals = || std::fs::read_to_string(server.log_file()).unwrap().matches("too many connections").count();
    let (before, started) = (refusals(), Instant::now());
    while started.elapsed() < Duration::from_secs(3) {
        app.get("/hello/John").await.expect_problem(503, "unavailable");
    }
    let tried = refusals() - before;
    assert!(tried < 40, "each of the four connections is tried about once a second, not {tried} times in three");
    app.database.run("alter role blue connection limit -1");
    eventually(HEALS, "all sessions are there", async || app.database.select(SESSIONS).await == 4).await;
    // One lookup loses its session; those that arrive during it are too few to wake another worker.
    app.database.run(
        "alter role blue connection limit 3; create sequence attempts; \
         create function lost() returns bool language plpgsql security definer as $$ begin \
            if nextval('attempts') = 1 then perform pg_sleep(0.1); raise sqlstate '26000'; end if; return true; end $$; \
         alter table birthdays enable row level security; create policy lost on birthdays using (lost())",
    );
    let later = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let lookups = join_all((0..3).map(|_| app.get("/hello/John")));
        tokio::time::timeout(Duration::from_secs(10), lookups).await.expect("the others answer")
    };
    let (lost, later) = tokio::join!(app.get("/hello/John"), later);
    lost.expect_problem(503, "unavailable");
    assert!(later.iter().all(|lookup| lookup.status == 200));
}

/// As a full PgBouncer does, whose refusal has the SQLSTATE of a broken connection.
#[tokio::test]
async fn a_session_that_cannot_be_replaced_because_new_ones_end_costs_one_answer_and_the_others_do_its_work() {
    let (proxy, app) = behind_proxy("");
    loses_one_session_and_one_answer(&app, || proxy.set(Fault::Full)).await;
    assert!(away(&app).await, "no further connection can be made");
    proxy.set(Fault::None);
    eventually(HEALS, "all sessions are there", async || app.database.select(SESSIONS).await == 4).await;
}

/// The database has a new password, and the mounted Secret does not have it yet.
#[tokio::test]
async fn a_session_that_cannot_be_replaced_for_its_login_costs_one_answer_and_the_others_do_its_work() {
    let (_server, mut secret, app) = app_with_secret("blue 1");
    loses_one_session_and_one_answer(&app, || app.database.run("alter role blue password 'blue 2'")).await;
    assert!(away(&app).await, "no further connection can be made");
    let metrics = app.get("/metrics").await.body;
    assert!(!metrics.contains("birthday_store_faults_total{server=\"primary\",kind=\"login\"} 0\n"), "{metrics}");
    // With no session left, each request gets the refusal, which is no lack of room.
    app.database.run(END_SESSIONS);
    for _ in 0..20 {
        app.get("/hello/John").await.expect_problem(503, "unavailable");
    }
    let metrics = app.get("/metrics").await.body;
    assert!(metrics.contains("birthday_store_faults_total{server=\"primary\",kind=\"busy\"} 0\n"), "{metrics}");
    secret.swap("blue", "blue 2");
    // Before the sessions: the probe is one of them while it lasts.
    eventually(HEALS, "the database is back", async || !away(&app).await).await;
    eventually(HEALS, "all sessions are there", async || app.database.select(SESSIONS).await == 4).await;
    assert_eq!(status_of_get_and_put(&app).await, (200, 204));
}

#[tokio::test]
async fn an_sqlite_file_that_is_replaced_is_left_for_the_new_one_with_nothing_of_the_old_one() {
    for first in ["", "removed", "damaged", "overwritten"] {
        let app = quick(Store::Sqlite, "connect_timeout = 2\nquery_timeout = 2");
        let file = PathBuf::from(app.database.url().trim_start_matches("sqlite://"));
        app.save("John", "1990-11-28").await;
        let copy = file.with_extension("copy");
        app.database.run(&format!("vacuum into '{}'", copy.display()));
        // This save is only in the old file's log.
        app.save("Mary", "1990-11-28").await;
        if first == "removed" {
            std::fs::remove_file(&file).unwrap();
        } else if first == "damaged" {
            let damaged = file.with_extension("damaged");
            std::fs::write(&damaged, [7; 8192]).unwrap();
            std::fs::rename(damaged, &file).unwrap();
        } else if first == "overwritten" {
            File::options().write(true).open(&file).unwrap().write_all(&[7; 8192]).unwrap();
            // The writer need not read the file for this, but all others have to after it.
            app.save("Mary", "1990-11-29").await;
        }
        if matches!(first, "removed" | "damaged") {
            app.put("/hello/John", birthday("1990-11-29")).await.expect_problem(503, "unavailable");
        }
        if !first.is_empty() {
            app.get("/hello/John").await.expect_problem(503, "unavailable");
        }
        std::fs::rename(copy, file).unwrap();
        // Soon, although the other connections to the former file are idle: they are checked every second.
        let soon = Duration::from_secs(10);
        eventually(soon, "the new file answers", async || app.get("/hello/John").await.status == 200).await;
        assert_eq!(app.get("/hello/Mary").await.status, 404, "the new file has nothing of the old one's log");
        let saves = async || app.put("/hello/John", birthday("1990-11-27")).await.status == 204;
        eventually(soon, "the new file takes saves", saves).await;
        assert_eq!(app.database.number("select count(*) from birthdays where date_of_birth = '1990-11-27'"), 1);
        assert_eq!(app.database.number("select integrity_check = 'ok' from pragma_integrity_check"), 1);
    }
}

/// A backup is put in the place of the file and its log, and changed before the service has noticed.
#[tokio::test]
async fn the_log_of_a_new_sqlite_file_is_not_taken_for_the_one_of_the_former_file() {
    let (app, former) = (quick(Store::Sqlite, ""), directory());
    let file = PathBuf::from(app.database.url().trim_start_matches("sqlite://"));
    app.save("John", "1990-11-28").await;
    let copy = file.with_extension("copy");
    app.database.run(&format!("vacuum into '{}'", copy.display()));
    for name in ["birthdays.db-wal", "birthdays.db-shm", "birthdays.db"] {
        std::fs::rename(file.with_file_name(name), former.path().join(name)).unwrap();
    }
    std::fs::rename(copy, &file).unwrap();
    let mut other = app.database.connect().await;
    other.run("pragma journal_mode = wal; insert into birthdays (username, date_of_birth) values ('Mary', '1990-11-28')").await;
    eventually(HEALS, "the new file answers", async || app.get("/hello/Mary").await.status == 200).await;
    app.save("John", "1990-11-29").await;
    assert_eq!(app.database.number("select count(*) from birthdays"), 2);
}

#[tokio::test]
async fn an_sqlite_file_that_another_process_locks_is_503_for_saves_while_lookups_go_on_and_never_counts_as_away() {
    let (directory, database) = (directory(), Database::new(Store::Sqlite));
    let service = service_on(&directory, &database.url(), "connect_timeout=1,query_timeout=5,");
    service.save("John", "1990-05-17").await;
    let mut other = database.connect().await;
    other.run("begin immediate").await;
    service.put("/hello/John", birthday("1990-05-18")).await.expect_problem(503, "unavailable");
    service.line("the database is busy: database is locked");
    // Deletes do not share a statement: together they take longer than a batch may.
    let waiting = (0..8).map(|_| service.delete("/hello/John"));
    for answer in rocket::futures::future::join_all(waiting).await {
        answer.expect_problem(503, "unavailable");
    }
    let line = service.line("none within ");
    let limit: u32 = line.split("none within ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(limit < 4000, "what was left of the batch's time, and not what a statement may take: {line}");
    assert!(!service.log().contains("none within 0 ms"), "what was not sent got no answer: {}", service.log());
    assert_eq!(service.get("/hello/John").await.status, 200);
    assert!(!service.log().contains("trying again every second"), "{}", service.log());
    assert!(!away(&service).await);
    other.run("rollback").await;
    service.save("John", "1990-05-19").await;
}
