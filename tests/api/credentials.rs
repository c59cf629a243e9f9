//! User name and password from a directory that is updated as the kubelet does it: by swapping a symlink.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Database, HEALS, app_with_secret, eventually};

async fn sessions_of(database: &Database, user: &str) -> i64 {
    let sessions = "select count(*) from pg_stat_activity where datname = current_database() and usename";
    database.select(&format!("{sessions} = '{user}'")).await
}

#[tokio::test]
async fn a_rotation_from_one_user_to_the_other_fails_no_request() {
    let (_server, mut secret, app) = app_with_secret("blue 1");
    app.save("John", "1990-11-28").await;
    assert!(sessions_of(&app.database, "blue").await > 0);

    let stop = AtomicBool::new(false);
    let requests = async {
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            app.save("John", "1990-11-28").await;
            assert_eq!(app.get("/hello/John").await.status, 200);
            count += 1;
        }
        count
    };
    let rotation = async {
        for (user, other) in [("green", "blue"), ("blue", "green")] {
            secret.swap(user, &format!("{user} 1"));
            let retired = async || sessions_of(&app.database, other).await == 0 && sessions_of(&app.database, user).await > 0;
            eventually(HEALS, "the sessions of the other user are retired", retired).await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (count, ()) = tokio::join!(requests, rotation);
    assert!(count > 10, "{count} rounds of requests");
    let metrics = app.get("/metrics").await.body;
    assert!(metrics.contains("birthday_store_credential_reloads_total 2\n"), "{metrics}");
}

#[tokio::test]
async fn a_password_that_changed_a_moment_ago_even_during_a_login_is_read_again_and_the_request_succeeds() {
    let (_server, mut secret, app) = app_with_secret("blue 1");
    app.save("John", "1990-11-28").await;
    let held = "create function held() returns event_trigger language plpgsql as \
                'begin if session_user = ''blue'' then perform pg_advisory_xact_lock_shared(1); end if; end'; \
                create event trigger held on login execute function held(); alter event trigger held enable always";
    app.database.run(held);
    let mut logins = app.database.connect().await;
    let sessions = async |which| {
        let all = "select count(*) from pg_stat_activity where usename = 'blue' and";
        app.database.select(&format!("{all} {which}")).await
    };
    let settled = async || sessions("state = 'idle'").await == 4 && sessions("wait_event = 'advisory'").await == 0;
    let password = |version| app.database.run(&format!("alter role blue password 'blue {version}'"));
    let end_sessions = || app.database.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'blue'");
    let mut write = |version| secret.swap("blue", &format!("blue {version}\n"));
    for version in [2, 4, 6] {
        let all = async || {
            tokio::time::sleep(Duration::from_millis(100)).await;
            settled().await
        };
        eventually(HEALS, "all four sessions wait", async || all().await && all().await).await;
        logins.run("select pg_advisory_lock(1)").await;
        password(version);
        end_sessions();
        write(version);
        let again = async {
            // One or two, as a worker that has noticed the new file may keep the save waiting.
            let all = async || {
                let before = sessions("wait_event = 'advisory'").await;
                tokio::time::sleep(Duration::from_millis(100)).await;
                before > 0 && before == sessions("wait_event = 'advisory'").await
            };
            eventually(HEALS, "those that log in wait", all).await;
            password(version + 1);
            write(version + 1);
            end_sessions();
            logins.run("select pg_advisory_unlock(1)").await;
        };
        tokio::join!(app.save("John", "1990-11-28"), again);
        assert_eq!(app.get("/hello/John").await.status, 200);
    }
}

#[tokio::test]
async fn files_that_cannot_be_read_for_a_while_leave_the_last_login_in_force() {
    let (_server, secret, app) = app_with_secret("blue 1");
    app.save("John", "1990-11-28").await;
    fs::remove_file(secret.directory.path().join("password")).unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    app.database.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'blue'");
    app.save("John", "1990-11-29").await;
    assert_eq!(app.get("/hello/John").await.status, 200);
}

/// New credentials may be wrong when they are first read, or not yet known to the database.
#[tokio::test]
async fn a_new_login_that_is_refused_does_not_cost_the_connections_of_the_former_one() {
    let (_server, mut secret, app) = app_with_secret("blue 1");
    app.save("John", "1990-11-28").await;
    secret.swap("green", "not yet");
    let until = Instant::now() + Duration::from_secs(6);
    while Instant::now() < until {
        app.save("John", "1990-11-28").await;
        assert_eq!(app.get("/hello/John").await.status, 200);
    }
    assert!(app.get("/metrics").await.body.contains("birthday_store_away{server=\"primary\"} 0\n"));
    assert!(sessions_of(&app.database, "blue").await > 0);
    app.database.run("alter role green password 'not yet'");
    let sessions = async || (sessions_of(&app.database, "green").await, sessions_of(&app.database, "blue").await);
    eventually(HEALS, "only the new login is used", async || sessions().await == (4, 0)).await;
}
