//! Every setting takes effect. (`telemetry` is tested in `privacy`; `lifecycle` and `shutdown` are tested in `lifecycle`.)

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{Database, HEALS, Service, Store, TestApp, birthday, command, directory, eventually, finish, raw};

/// Starts the service on its own SQLite database, with these variables.
fn serve(directory: &TempDir, variables: &[(&str, &str)]) -> Service {
    Service::start(command(directory.path()).envs(variables.iter().copied()))
}

#[tokio::test]
async fn without_any_setting_it_keeps_birthdays_in_a_file_beside_it_and_logs_its_start_alone() {
    let directory = directory();
    let service = serve(&directory, &[]);
    service.save("John", "1990-05-17").await;
    assert!(directory.path().join("birthdays.db").is_file());
    let start = service.line("listening on http://127.0.0.1:");
    assert!(start.ends_with("database sqlite://birthdays.db, time zone UTC, leap day mar1"), "{start}");
    service.message("John").await;
    assert_eq!(service.log(), start, "requests are not logged unless asked for");
    // By SIGKILL: nothing acknowledged is lost.
    drop(service);
    assert_eq!(serve(&directory, &[]).get("/hello/John").await.status, 200);
}

#[tokio::test]
async fn address_and_port_say_where_it_listens_and_more_workers_serve_the_same() {
    let directory = directory();
    // macOS has no other address of its own
    let address = if cfg!(target_os = "macos") { "127.0.0.1" } else { "127.0.0.2" };
    let port = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port().to_string();
    let where_and_how = [("ROCKET_ADDRESS", address), ("ROCKET_PORT", &port), ("ROCKET_WORKERS", "2")];
    let service = serve(&directory, &where_and_how);
    assert_eq!(service.address.to_string(), format!("{address}:{port}"));
    let second = finish(command(directory.path()).env("ROCKET_ADDRESS", address).env("ROCKET_PORT", &port));
    assert_eq!((second.code, second.stderr.lines().count()), (Some(1), 1), "{}", second.stderr);
    assert!(second.stderr.starts_with(&format!("birthday-api: cannot listen on {address}:{port}: ")), "{}", second.stderr);
    service.save("John", "1990-05-17").await;
    assert_eq!(service.get("/hello/John").await.status, 200);
}

#[tokio::test]
async fn keep_alive_is_how_long_a_connection_may_wait_for_its_next_request() {
    for (seconds, least) in [("0", 0), ("1", 900)] {
        let service = serve(&directory(), &[("ROCKET_KEEP_ALIVE", seconds)]);
        let asked = Instant::now();
        // Fails if it takes 20 s: by default it would take 30.
        raw::exchange(service.address, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert!(asked.elapsed() >= Duration::from_millis(least), "{seconds} s: {:?}", asked.elapsed());
    }
}

/// More answers than the system buffers, on one connection.
#[test]
fn with_a_short_keep_alive_a_client_that_reads_slowly_still_gets_its_answers() {
    let directory = directory();
    let service = serve(&directory, &[("ROCKET_KEEP_ALIVE", "1")]);
    let get = |close: &str| format!("GET /docs HTTP/1.1\r\nHost: localhost\r\n{close}\r\n");
    let connection = raw::send(service.address, &(get("").repeat(399) + &get("Connection: close\r\n")));
    std::thread::sleep(Duration::from_secs(4));
    let answers = raw::rest(connection, HEALS);
    assert_eq!((answers.matches("HTTP/1.1 200 ").count(), answers.matches("</html>").count()), (400, 400));
}

#[tokio::test]
async fn a_file_is_read_over_the_defaults_a_profile_over_these_and_the_environment_over_the_file() {
    let directory = directory();
    let file = "[default.birthday]\ntime_zone = \"Europe/Amsterdam\"\nleap_day = \"feb28\"\n[default.databases.birthdays]\nurl = \"sqlite://file.db\"";
    fs::write(directory.path().join("Rocket.toml"), file).unwrap();
    let elsewhere = directory.path().join("elsewhere.toml");
    fs::write(&elsewhere, "[default.birthday]\nleap_day = \"feb28\"\n[staging.birthday]\ntime_zone = \"Asia/Tokyo\"").unwrap();
    let other = [("ROCKET_CONFIG", elsewhere.to_str().unwrap()), ("ROCKET_PROFILE", "staging")];
    for (variables, file, zone) in [
        (&[][..], "file.db", "Europe/Amsterdam"),
        // A table from the environment replaces single keys and leaves the others.
        (&[("ROCKET_BIRTHDAY", "{time_zone=\"Asia/Tokyo\"}")], "file.db", "Asia/Tokyo"),
        (&other, "birthdays.db", "Asia/Tokyo"),
    ] {
        let start = serve(&directory, variables).line("listening");
        let expected = format!("database sqlite://{file}, time zone {zone}, leap day feb28");
        assert!(start.ends_with(&expected), "{start}");
    }
}

#[tokio::test]
async fn max_connections_and_application_name_are_what_the_server_sees() {
    for (connections, name, query) in [(2, "birthday-api", ""), (5, "elsewhere", "?application_name=elsewhere")] {
        let database = Database::new(Store::PostgreSql);
        let url = database.url() + query;
        let app = TestApp::at(database, &url, &format!("[default.databases.birthdays]\nmax_connections = {connections}"));
        let sessions = "select count(*) from pg_stat_activity where datname = current_database() and application_name";
        let open = async || app.database.select(&format!("{sessions} = '{name}'")).await;
        eventually(Duration::from_secs(20), "all connections are open", async || open().await == connections).await;
        rocket::futures::future::join_all((0..60).map(|_| app.save("John", "1990-05-17"))).await;
        assert_eq!(open().await, connections);
    }
}

/// Without IPv6 the error comes from the system: no resolver was asked for a name with brackets.
#[test]
fn a_database_host_in_brackets_is_an_address() {
    let directory = directory();
    let url = "postgres://nobody@[::1]:1/nowhere";
    let ended = finish(command(directory.path()).args(["migrate", "--wait", "0"]).env("ROCKET_DATABASES__BIRTHDAYS__URL", url));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("(os error "), "{}", ended.stderr);
}

#[tokio::test]
async fn connect_timeout_and_query_timeout_bound_a_request_when_no_server_answers() {
    // Accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let directory = directory();
    let url = format!("postgres://nobody@127.0.0.1:{}/nowhere", silent.local_addr().unwrap().port());
    let tables = format!("{{birthdays={{url={url:?},connect_timeout=1,query_timeout=0.5}}}}");
    let service = serve(&directory, &[("ROCKET_DATABASES", &tables)]);
    let asked = Instant::now();
    service.put("/hello/John", birthday("1990-05-17")).await.expect_problem(503, "unavailable");
    service.get("/hello/John").await.expect_problem(503, "unavailable");
    assert!(asked.elapsed() < Duration::from_secs(6), "{:?}", asked.elapsed());
    let metrics = service.get("/metrics").await.body;
    assert!(metrics.contains("birthday_store_away{server=\"primary\"} 1\n"), "the next request does not wait: {metrics}");
    assert!(metrics.contains("birthday_store_retries_total 0\n"), "a second attempt would take as long: {metrics}");
}

#[tokio::test]
async fn migrate_is_on_for_sqlite_and_off_for_postgresql_unless_set() {
    let directory = directory();
    let off = serve(&directory, &[("ROCKET_DATABASES", "{birthdays={migrate=false}}")]);
    off.get("/hello/John").await.expect_problem(503, "unavailable");
    assert_eq!(serve(&directory, &[]).get("/hello/John").await.status, 404);
    eventually(HEALS, "the one without a schema heals", async || off.get("/hello/John").await.status == 404).await;

    let database = Database::new(Store::PostgreSql);
    let tables = |more: &str| format!("{{birthdays={{url={:?}{more}}}}}", database.url());
    let off = serve(&directory, &[("ROCKET_DATABASES", &tables(""))]);
    let saved = off.put("/hello/John", birthday("1990-05-17")).await;
    for answer in [saved, off.get("/hello/John").await, off.delete("/hello/John").await] {
        let problem = answer.expect_problem(503, "unavailable");
        assert!(problem["detail"].as_str().unwrap().contains("run birthday-api migrate"), "{problem}");
    }
    let line = off.line("run birthday-api migrate");
    assert!(line.contains("\"birthdays\" does not exist"), "{line}");
    for probe in ["/livez", "/readyz"] {
        assert_eq!(off.get(probe).await.body, "ok\n", "{probe}");
    }
    let on = serve(&directory, &[("ROCKET_DATABASES", &tables(",migrate=true"))]);
    for service in [&on, &off] {
        eventually(HEALS, "the schema is there", async || service.get("/hello/John").await.status == 404).await;
    }
    off.save("John", "1990-05-17").await;
}
