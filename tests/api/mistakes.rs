//! A setting that is unknown or cannot work prevents the start: exit code 2 and one line that names the key and the reason.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use crate::support::{command, directory, finish, unprivileged};

/// Starts with `variables` and with `file` as Rocket.toml, and expects the one line to contain all `words` and no password.
fn expect_refusal(variables: &[(&str, &str)], file: &str, words: &[&str]) {
    let directory = directory();
    if !file.is_empty() {
        fs::write(directory.path().join("Rocket.toml"), file).unwrap();
    }
    for subcommand in ["serve", "migrate", "healthcheck"] {
        let ended = finish(command(directory.path()).arg(subcommand).envs(variables.iter().copied()));
        let said = &ended.stderr;
        assert_eq!((ended.code, said.lines().count()), (Some(2), 1), "{subcommand} {variables:?}: {said}");
        assert!(said.starts_with("birthday-api: setting "), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{words:?} for {variables:?} in {said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
    assert!(!directory.path().join("birthdays.db").exists(), "no database was created");
}

#[test]
fn an_unknown_key_and_a_value_that_cannot_be_are_named() {
    for (name, value, words) in [
        ("ROCKET_ADRESS", "0.0.0.0", ["setting adress:", "unknown"]),
        ("ROCKET_BIRTHDAY", "{tz=\"UTC\"}", ["setting birthday", "tz"]),
        ("ROCKET_DATABASES", "{birthdays={uri=\"sqlite://x.db\"}}", ["setting databases.birthdays", "uri"]),
        ("ROCKET_DATABASES", "{birthday={url=\"sqlite://x.db\"}}", ["setting databases", "birthday"]),
        ("ROCKET_LIFECYCLE", "{drian=5}", ["setting lifecycle", "drian"]),
        ("ROCKET_TELEMETRY", "{access=true}", ["setting telemetry", "access"]),
        ("ROCKET_SHUTDOWN", "{grase=6}", ["setting shutdown.grase:", "unknown"]),
        ("ROCKET_SHUTDOWN", "{ctrlc=true}", ["setting shutdown.ctrlc:", "unknown"]),
        ("ROCKET_TLS", "{certs=\"x\",key=\"y\"}", ["setting tls:", "unknown"]),
        ("ROCKET_IP_HEADER", "X-Real-IP", ["setting ip_header:", "unknown"]),
        ("ROCKET_PORT", "abc", ["setting port:", "abc"]),
        ("ROCKET_WORKERS", "0", ["setting workers:", "at least 1"]),
        ("ROCKET_MAX_BLOCKING", "0", ["setting max_blocking:", "at least 1"]),
        ("ROCKET_LOG_LEVEL", "normal", ["setting log_level:", "must be off"]),
        ("ROCKET_CONFIG", "/nowhere/Rocket.toml", ["setting ROCKET_CONFIG:", "/nowhere/Rocket.toml"]),
        ("ROCKET_PROFILE", "staging", ["setting ROCKET_PROFILE:", "staging"]),
        ("ROCKET_DATABASES__BIRTHDAYS__QUERY_TIMEOUT", "0", ["setting databases.birthdays.query_timeout:", "0"]),
        ("ROCKET_DATABASES__BIRTHDAYS__CONNECT_TIMEOUT", "29", ["setting databases.birthdays.connect_timeout:", "30 s"]),
        ("ROCKET_PUBLIC_URL", "birthday.example", ["setting public_url:", "https://birthday.example"]),
        ("DATABASE_URL", "postgres://u@localhost/x", ["setting databases.birthdays.url:", "ROCKET_DATABASES__BIRTHDAYS__URL"]),
        ("ROCKET_BIRTHDAY", "{time_zone=\"Mars/Olympus\"}", ["setting birthday.time_zone:", "Mars/Olympus"]),
        ("ROCKET_BIRTHDAY", "{leap_day=\"feb29\"}", ["setting birthday.leap_day:", "feb29 is not one of mar1, feb28"]),
        ("ROCKET_BIRTHDAY", "mar1", ["setting birthday", ""]),
        ("ROCKET_LIFECYCLE", "{drain=-1}", ["setting lifecycle.drain:", "-1"]),
        ("ROCKET_SHUTDOWN", "{grace=4}", ["setting shutdown.grace:", "connect_timeout + query_timeout, which is 5 s"]),
    ] {
        expect_refusal(&[(name, value)], "", &words);
    }
}

#[test]
fn a_database_that_cannot_be_reached_by_its_settings_is_refused() {
    let table = |inner: &str| format!("{{birthdays={{{inner}}}}}");
    for (inner, key, word) in [
        ("url=\"mysql://localhost/birthday\"", "url", "sqlite or postgres"),
        ("url=\"birthdays.db\"", "url", "sqlite or postgres"),
        ("url=\"sqlite::memory:\"", "url", "memory"),
        ("url=\"sqlite://:memory:\"", "url", "memory"),
        ("url=\"sqlite://%3Amemory%3A\"", "url", "memory"),
        ("url=\"sqlite://x.db?mode=%6demory\"", "url", "memory"),
        ("url=\"sqlite://file::memory:\"", "url", "no file"),
        ("url=\"sqlite://\"", "url", "no file"),
        ("url=\"sqlite:///etc\"", "url", "is a folder"),
        ("url=\"sqlite:///etc/passwd\"", "url", "not an SQLite database"),
        ("url=\"sqlite://missing/birthdays.db\"", "url", "no folder missing"),
        ("pooler=true", "pooler", "SQLite"),
        ("url=\"postgres://birthday@localhost/x?sslrootcert=/nowhere.pem\"", "url", "no file /nowhere.pem"),
        ("url=\"postgres://birthday@localhost/x?options=-cx%3Dy\",pooler=true", "url", "options"),
        ("pooler=true,url=\"postgres://b@h/x\",replica_url=\"postgres://b@h/x?options=-cx%3Dy\"", "replica_url", "options"),
        ("url=\"postgres://birthday@localhost/birthday?sslmod=verify-full\"", "url", "sslmod"),
        ("url=\"postgres://birthday@localhost/birthday?sslmode=verifyfull\"", "url", "postgres://user:password@host"),
        ("url=\"postgres://birthday@localhost:port/birthday\"", "url", "postgres://user:password@host"),
        ("url=\"postgres://birthday@localhost\"", "url", "names no database"),
        ("max_connections=1", "max_connections", "at least 2"),
        ("connect_timeout=0", "connect_timeout", "0"),
        ("query_timeout=-1", "query_timeout", "-1"),
        ("credentials=\"/etc\"", "credentials", "SQLite"),
        ("replica_url=\"postgres://birthday@localhost/birthday\"", "replica_url", "SQLite"),
        ("url=\"postgres://birthday@localhost/x\",replica_url=\"sqlite://x.db\"", "replica_url", "must be PostgreSQL"),
    ] {
        expect_refusal(&[("ROCKET_DATABASES", &table(inner))], "", &[&format!("setting databases.birthdays.{key}:"), word]);
    }
}

#[test]
fn an_sqlite_file_in_a_folder_that_is_not_writable_is_refused() {
    // The program is copied into it, and containers mount the folder in memory without the right to execute.
    let directory = TempDir::new().unwrap();
    let mut unprivileged = unprivileged(directory.path());
    fs::set_permissions(directory.path(), Permissions::from_mode(0o555)).unwrap();
    let ended = finish(&mut unprivileged);
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(2), 1), "{}", ended.stderr);
    let said = "birthday-api: setting databases.birthdays.url: the folder . is not writable";
    assert!(ended.stderr.starts_with(said), "{}", ended.stderr);
}

#[test]
fn a_password_in_a_url_that_is_refused_is_not_repeated() {
    let url = |url: &str| ("ROCKET_DATABASES", format!("{{birthdays={{url={url:?}}}}}"));
    for (name, value) in [
        url("postgres://birthday:s3cret@localhost:port/x"),
        url("postgres://birthday:s3cret@localhost/x?sslmode=maybe"),
        url("mysql://u:s3cret@localhost/x"),
        url("postgres://birthday:?s3cret@localhost/x"),
        url("postgres://birthday:a?s3cret"),
        url("postgres://birthday:#s3cret@localhost/x"),
        url("postgres://birthday:/s3cret@localhost/x"),
        url("postgres://birthday:@s3cret@localhost:y/x"),
        url("postgres://birthday:s3cret%zz@localhost:y/x"),
        ("ROCKET_DATABASES", "{birthdays={url=\"postgres://u:s3cret@localhost/x\"".to_owned()),
        ("ROCKET_DATABASES__BIRTHDAYS", "postgres://u:s3cret@localhost/x".to_owned()),
        ("ROCKET_DATABASES__BIRTHDAYS__URL", "[\"postgres://u:s3cret@localhost/x\"]".to_owned()),
    ] {
        expect_refusal(&[(name, &value)], "", &[]);
    }
}

#[test]
fn credentials_without_a_password_file_are_refused_with_its_name() {
    let directory = directory();
    fs::write(directory.path().join("username"), "birthday\n").unwrap();
    let path = directory.path().to_str().unwrap();
    let table = format!("{{birthdays={{url=\"postgres://localhost/birthday\",credentials={path:?}}}}}");
    let file = format!("{path}/password");
    expect_refusal(&[("ROCKET_DATABASES", &table)], "", &["setting databases.birthdays.credentials:", &file]);
    fs::write(directory.path().join("password"), "\n").unwrap();
    expect_refusal(&[("ROCKET_DATABASES", &table)], "", &[&file, "is empty"]);
}

#[test]
fn a_table_at_the_top_of_rocket_toml_is_no_profile() {
    for table in ["birthday", "databases", "lifecycle", "staging", "release"] {
        expect_refusal(&[], &format!("[{table}]\nx = 1"), &[&format!("setting {table}:"), "[default]"]);
    }
    expect_refusal(&[], "[default.birthday]\nleapday = \"feb28\"", &["setting birthday", "leapday"]);
}

#[test]
fn a_rocket_toml_that_cannot_be_read_is_named_without_quoting_it() {
    let file = "[default.databases.birthdays]\nurl = \"postgres://u:s3cret@localhost/x";
    expect_refusal(&[], file, &["Rocket.toml", "line 2, column"]);
}
