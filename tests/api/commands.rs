//! `birthday-api healthcheck | copy | --version`.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Database, Service, Store, TestApp, command, directory, eventually, finish};

#[tokio::test]
async fn healthcheck_is_0_while_ready_and_1_while_draining_or_away() {
    let directory = directory();
    let service = Service::start(command(directory.path()).env("ROCKET_LIFECYCLE", "{drain=20}"));
    let port = service.address.port().to_string();
    let check =
        || finish(command(directory.path()).arg("healthcheck").env("ROCKET_PORT", &port).env("ROCKET_ADDRESS", "0.0.0.0"));
    let ready = check();
    assert_eq!((ready.code, ready.stdout.as_str(), ready.stderr.as_str()), (Some(0), "", ""));

    service.signal(Signal::TERM);
    eventually(Duration::from_secs(10), "it drains", async || service.get("/readyz").await.status == 503).await;
    let draining = check();
    assert_eq!(draining.code, Some(1));
    assert!(draining.stderr.contains("not ready: HTTP/1.1 503"), "{}", draining.stderr);

    drop(service);
    let away = check();
    assert_eq!((away.code, away.stderr.lines().count()), (Some(1), 1), "{}", away.stderr);
    assert!(away.stderr.starts_with("birthday-api: not ready: "), "{}", away.stderr);
}

#[test]
fn the_command_line_tells_its_version() {
    let directory = directory();
    let version = finish(command(directory.path()).arg("--version"));
    assert_eq!((version.code, version.stdout.trim()), (Some(0), concat!("birthday-api ", env!("CARGO_PKG_VERSION"))));
}

/// Copies from one kind of database to the other and back, and backs up a file that is in use.
#[tokio::test]
async fn copy_moves_all_birthdays_and_leaves_a_target_that_is_not_empty() {
    let directory = directory();
    let (first, second) = (Database::new(Store::Sqlite), Database::new(Store::PostgreSql));
    let third = format!("sqlite://{}/third.db", directory.path().display());
    let app = TestApp::with(first, "");
    app.database.run(
        "with recursive n(i) as (select 0 union all select i + 1 from n where i < 16999) \
         insert into birthdays select char(65 + i / 676, 97 + i / 26 % 26, 97 + i % 26), date('1950-01-01', i || ' days') from n",
    );
    app.save("Zoe", "1990-11-28").await;
    let copy = |from: &str, to: &str, more: &[&str]| {
        finish(command(directory.path()).args(["copy", "--from", from, "--to", to]).args(more))
    };
    // While the second is locked for longer than its statements may take.
    let copy_slowly = async |from: &str, to: &str, more: &[&str]| {
        let lock = second.lock().await;
        std::thread::scope(|scope| {
            let copying = scope.spawn(|| copy(from, to, more));
            std::thread::sleep(Duration::from_secs(2));
            drop(lock);
            copying.join().unwrap()
        })
    };
    let first_copy = copy(&app.database.url(), &second.url(), &[]);
    second.run(&format!("alter database {} set statement_timeout = '1s'", second.url().rsplit('/').next().unwrap()));
    for ended in [first_copy, copy_slowly(&second.url(), &third, &[]).await] {
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("17001 birthdays copied"), "{}", ended.stderr);
        assert!(!ended.stderr.contains('@'), "no password: {}", ended.stderr);
    }
    let sum = "select count(*) from birthdays where username = 'Zoe' and date_of_birth = '1990-11-28'";
    assert_eq!((second.number(sum), second.number("select count(*) from birthdays")), (1, 17_001));
    app.save("Zyx", "1990-11-28").await;
    let refused = copy(&app.database.url(), &second.url(), &[]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
    assert_eq!(second.number("select count(*) from birthdays"), 17_001);
    let replaced = copy_slowly(&app.database.url(), &second.url(), &["--replace"]).await;
    assert_eq!(replaced.code, Some(0), "{}", replaced.stderr);
    assert_eq!(second.number("select count(*) from birthdays"), 17_002);
    second.run("alter table birthdays rename to elsewhere");
    let unreadable = copy(&app.database.url(), &second.url(), &[]);
    assert!(unreadable.code == Some(1) && !unreadable.stderr.contains("--replace"), "{}", unreadable.stderr);

    let wrong = copy("postgres://u:s3cret@localhost:port/x", "sqlite://x.db", &[]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("--from") && !wrong.stderr.contains("s3cret"), "{}", wrong.stderr);
}
