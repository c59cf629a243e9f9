//! User name and password from a directory, as Kubernetes mounts a Secret: read at start and again whenever they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io};

/// How long a change may go unnoticed.
const POLL: Duration = Duration::from_secs(2);

#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password: String,
}

/// The login in force. Without a directory it is what the URL says and never changes.
#[derive(Clone)]
pub struct Credentials {
    directory: Option<PathBuf>,
    login: Arc<Mutex<Option<Login>>>,
}

impl Credentials {
    /// Reads the files `username` and `password` of `directory`; an error names the file.
    pub fn read(directory: Option<&Path>) -> io::Result<Self> {
        let login = directory.map(read_login).transpose()?;
        Ok(Self { directory: directory.map(Path::to_owned), login: Arc::new(Mutex::new(login)) })
    }

    pub fn login(&self) -> Option<Login> {
        self.lock().clone()
    }

    /// Reads the files again; true if they changed.
    pub fn reload(&self) -> io::Result<bool> {
        let Some(directory) = &self.directory else { return Ok(false) };
        let found = Some(read_login(directory)?);
        let mut login = self.lock();
        let changed = *login != found;
        *login = found;
        Ok(changed)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Login>> {
        self.login.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for changes for ever, and calls `noticed` after each; ends at once where there is no directory.
    pub async fn watch(self, noticed: impl Fn()) {
        let mut readable = true;
        while self.directory.is_some() {
            tokio::time::sleep(POLL).await;
            match self.reload() {
                Ok(changed) => {
                    readable = true;
                    if changed {
                        tracing::info!("database credentials changed; connections are being renewed");
                        noticed();
                    }
                }
                Err(error) if readable => {
                    readable = false;
                    tracing::warn!("database credentials cannot be read, the last ones stay in force: {error}");
                }
                Err(_) => {}
            }
        }
    }
}

/// Both files of one moment. Kubernetes swaps a symlink for the whole directory, so a pair is read until it reads the same twice.
fn read_login(directory: &Path) -> io::Result<Login> {
    let mut last = read_pair(directory)?;
    loop {
        let again = read_pair(directory)?;
        if again == last {
            return Ok(again);
        }
        last = again;
    }
}

fn read_pair(directory: &Path) -> io::Result<Login> {
    let read = |name: &str| {
        let path = directory.join(name);
        let text = fs::read_to_string(&path).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
        let text = text.trim_end_matches(['\r', '\n']).to_owned();
        if text.is_empty() { Err(io::Error::other(format!("{} is empty", path.display()))) } else { Ok(text) }
    };
    Ok(Login { username: read("username")?, password: read("password")? })
}
