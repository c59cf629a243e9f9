//! A login that changes while the service runs, as the kubelet updates a mounted Secret: by swapping a symlink.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::postgresql::Server;
use super::{Database, TestApp};

/// A mounted Secret: the files are links through `..data`, which is a link to the directory of one version.
pub struct Secret {
    pub directory: TempDir,
    version: u32,
}

impl Secret {
    fn new(username: &str, password: &str) -> Self {
        let mut secret = Self { directory: TempDir::new().unwrap(), version: 0 };
        for name in ["username", "password"] {
            symlink(Path::new("..data").join(name), secret.directory.path().join(name)).unwrap();
        }
        secret.swap(username, password);
        secret
    }

    pub fn swap(&mut self, username: &str, password: &str) {
        self.version += 1;
        let version = format!("..version_{}", self.version);
        let of_version = self.directory.path().join(&version);
        fs::create_dir(&of_version).unwrap();
        fs::write(of_version.join("username"), username).unwrap();
        fs::write(of_version.join("password"), password).unwrap();
        let (next, data) = (self.directory.path().join("..data_tmp"), self.directory.path().join("..data"));
        symlink(version, &next).unwrap();
        fs::rename(next, data).unwrap();
    }
}

/// A server with the two users that a rotation alternates between, and a service on it whose login is `blue` with `password`.
/// Regression: a user who may only read and write rows is enough, as the service issues no DDL outside its migrations.
pub fn app_with_secret(password: &str) -> (Server, Secret, TestApp) {
    let server = Server::start(&[]);
    let database = Database::on(server.url("postgres").parse().unwrap()).migrated();
    for user in ["blue", "green"] {
        database.run(&format!(
            "create role {user} login password '{user} 1'; grant select, insert, update, delete on birthdays to {user}"
        ));
    }
    let secret = Secret::new("blue", password);
    let settings = format!("[default.databases.birthdays]\nmigrate = false\ncredentials = {:?}", secret.directory.path());
    let url = database.url_as("ignored", "ignored");
    (server, secret, TestApp::at(database, &url, &settings))
}
