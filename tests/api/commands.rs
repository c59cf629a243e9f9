//! `birthday-api healthcheck | openapi | --version`.

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Service, command, eventually, finish};

#[tokio::test]
async fn healthcheck_is_0_while_ready_and_1_while_draining_or_away() {
    let directory = TempDir::new().unwrap();
    let service = Service::start(command(directory.path()).env("ROCKET_LIFECYCLE", "{drain=20}"));
    let port = service.address.port().to_string();
    let check =
        || finish(command(directory.path()).arg("healthcheck").env("ROCKET_PORT", &port).env("ROCKET_ADDRESS", "0.0.0.0"));
    let ready = check();
    assert_eq!((ready.code, ready.stdout.as_str(), ready.stderr.as_str()), (Some(0), "", ""));

    service.signal(Signal::SIGTERM);
    eventually(std::time::Duration::from_secs(10), "it drains", async || service.get("/readyz").await.status == 503).await;
    let draining = check();
    assert_eq!(draining.code, Some(1));
    assert!(draining.stderr.contains("not ready: HTTP/1.1 503"), "{}", draining.stderr);

    drop(service);
    let away = check();
    assert_eq!((away.code, away.stderr.lines().count()), (Some(1), 1), "{}", away.stderr);
    assert!(away.stderr.starts_with("birthday-api: not ready: "), "{}", away.stderr);
}

#[test]
fn openapi_prints_a_json_document_whatever_the_settings_are() {
    let directory = TempDir::new().unwrap();
    let printed = finish(command(directory.path()).arg("openapi").env("ROCKET_PORT", "abc"));
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    let document: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(document["info"]["title"], "Birthday API");
}

#[test]
fn the_command_line_tells_its_version_and_its_subcommands() {
    let directory = TempDir::new().unwrap();
    let version = finish(command(directory.path()).arg("--version"));
    assert_eq!((version.code, version.stdout.trim()), (Some(0), concat!("birthday-api ", env!("CARGO_PKG_VERSION"))));
    let help = finish(command(directory.path()).arg("--help")).stdout;
    for subcommand in ["serve", "migrate", "healthcheck", "openapi"] {
        assert!(help.contains(subcommand), "{help}");
    }
}
