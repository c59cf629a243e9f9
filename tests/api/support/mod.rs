//! Support for the tests: the service in this process ([`TestApp`]) or in a separate one ([`Service`]), a client that
//! checks every answer against the rules that hold for all of them, and databases.

mod app;
mod archive;
mod client;
mod database;
pub mod pair;
pub mod postgresql;
pub mod raw;
mod secret;
mod service;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

pub use app::{TestApp, figment, routes};
pub use archive::own_uid;
pub use client::{Answer, Client, FORM, JSON, birthday, operations};
pub use database::{Database, Store, number, run};
pub use secret::app_with_secret;
pub use service::{Ended, Service, binary, command, command_by, finish, unprivileged};
use tempfile::TempDir;

/// The service must recover within this time after a fault is repaired, even on a busy machine.
pub const HEALS: Duration = Duration::from_secs(30);

/// An empty folder, in memory where the system has a file system for that: a disk that still writes what was built can hold up a
/// commit for longer than the service waits.
pub fn directory() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

/// Runs a future to completion on its own thread, so that it also works inside a runtime.
pub fn block_on<F: Future<Output: Send> + Send>(future: F) -> F::Output {
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
    std::thread::scope(|scope| match scope.spawn(run).join() {
        Ok(output) => output,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// A different name for each number, of letters only.
pub fn name(prefix: &str, number: usize) -> String {
    prefix.to_owned() + &number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect::<String>()
}

/// 32 hex digits that cannot be guessed.
pub fn random() -> String {
    let digits = || format!("{:016x}", RandomState::new().build_hasher().finish());
    digits() + &digits()
}

/// Polls until `condition` holds; fails after `limit`.
pub async fn eventually<F: Future<Output = bool>>(limit: Duration, what: &str, condition: impl Fn() -> F) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Runs each listed test on each store, under the test's own name.
macro_rules! on_both_stores {
    ($($test:ident),* $(,)?) => {
        $(mod $test {
            #[tokio::test]
            async fn sqlite() {
                super::$test($crate::support::TestApp::start($crate::support::Store::Sqlite)).await;
            }

            #[tokio::test]
            async fn postgresql() {
                super::$test($crate::support::TestApp::start($crate::support::Store::PostgreSql)).await;
            }
        })*
    };
}
pub(crate) use on_both_stores;
