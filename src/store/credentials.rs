//! User name and password from a directory, as Kubernetes mounts a Secret: read at start and again whenever they change.

use std::path::{Path, PathBuf};
use std::{fs, io};

use parking_lot::Mutex;

#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password: String,
}

/// The current login. Without a directory it comes from the URL and never changes.
pub struct Credentials {
    directory: Option<PathBuf>,
    login: Mutex<Option<Login>>,
}

impl Credentials {
    /// Reads the files `username` and `password` of `directory`; an error names the file.
    pub fn read(directory: Option<&Path>) -> io::Result<Self> {
        let login = directory.map(read_login).transpose()?;
        Ok(Self { directory: directory.map(Path::to_owned), login: login.into() })
    }

    pub fn login(&self) -> Option<Login> {
        self.login.lock().clone()
    }

    /// Reads the files again; true if they changed.
    pub fn reload(&self) -> io::Result<bool> {
        let found = self.directory.as_deref().map(read_login).transpose()?;
        let mut login = self.login.lock();
        let changed = *login != found;
        *login = found;
        Ok(changed)
    }
}

/// Reads both files from the same version of the directory: Kubernetes replaces all of it by swapping the link `..data`.
fn read_login(directory: &Path) -> io::Result<Login> {
    let version = fs::canonicalize(directory.join("..data")).unwrap_or_else(|_| directory.to_owned());
    let read = |name: &str| {
        let path = version.join(name);
        let text = fs::read_to_string(&path).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
        let text = text.trim_end_matches(['\r', '\n']).to_owned();
        if text.is_empty() { Err(io::Error::other(format!("{} is empty", path.display()))) } else { Ok(text) }
    };
    Ok(Login { username: read("username")?, password: read("password")? })
}
