//! `sslmode=verify-full`: the certificate must be issued by the given authority for the given host.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::postgresql::{Authority, Server, authority};
use crate::support::{Service, birthday, command, directory, finish};

fn ca_file(directory: &TempDir, authority: &Authority) -> PathBuf {
    let path = directory.path().join("ca.pem");
    fs::write(&path, authority.pem()).unwrap();
    path
}

fn tables(server: &Server, ca: &Path) -> String {
    let url = format!("{}?sslmode=verify-full&sslrootcert={}", server.url("postgres"), ca.display());
    format!("{{birthdays={{url={url:?}}}}}")
}

#[tokio::test]
async fn with_the_right_authority_it_migrates_and_serves_over_tls() {
    let (directory, authority) = (directory(), authority());
    let server = Server::with_tls(&authority, "127.0.0.1", &[]);
    let tables = tables(&server, &ca_file(&directory, &authority));
    let migrated = finish(command(directory.path()).arg("migrate").env("ROCKET_DATABASES", &tables));
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    let service = Service::start(command(directory.path()).env("ROCKET_DATABASES", &tables));
    service.save("John", "1990-05-17").await;
    assert_eq!(service.get("/hello/John").await.status, 200);
}

#[tokio::test]
async fn another_authority_or_a_certificate_for_another_host_is_refused_and_the_log_says_why() {
    let (directory, authority_of_server) = (directory(), authority());
    for (host, trusted) in [("127.0.0.1", &authority()), ("database.example.com", &authority_of_server)] {
        let server = Server::with_tls(&authority_of_server, host, &[]);
        let tables = tables(&server, &ca_file(&directory, trusted));
        let migrated = finish(command(directory.path()).args(["migrate", "--wait", "0"]).env("ROCKET_DATABASES", &tables));
        assert_eq!(migrated.code, Some(1), "{}", migrated.stderr);
        assert!(migrated.stderr.contains("certificate"), "it says what is wrong: {}", migrated.stderr);
        let service = Service::start(command(directory.path()).env("ROCKET_DATABASES", &tables));
        service.put("/hello/John", birthday("1990-05-17")).await.expect_problem(503, "unavailable");
        service.line("certificate");
        assert!(!service.log().contains(&server.password), "{}", service.log());
    }
}
