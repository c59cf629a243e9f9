//! Opening an SQLite file from several sessions at once.

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

#[tokio::test]
async fn sessions_that_find_a_new_file_at_once_all_open_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("birthdays.db");
    fs::write(&path, "").unwrap();
    let database = Database::new(&SqliteConnectOptions::new().filename(path), Duration::from_secs(1));
    // Both come as far as the lock before either knows the file.
    let held = database.file.clone().write_owned().await;
    let both = async { tokio::join!(database.connect(), database.connect(), async { drop(held) }) };
    let (one, other, ()) = timeout(Duration::from_secs(10), both).await.expect("one waits for the connection of the other");
    let errors: Vec<_> = [one, other].into_iter().filter_map(Result::err).collect();
    assert!(errors.is_empty(), "{errors:?}");
}
