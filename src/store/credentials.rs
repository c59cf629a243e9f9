//! User name and password from a directory, as Kubernetes mounts a Secret: read at start and again whenever they change.

use std::path::Path;
use std::{fs, io};

#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password: String,
}

impl Login {
    /// Reads the files `username` and `password` of `directory`; an error names the file.
    ///
    /// Both are from the same version of the directory: Kubernetes replaces all of it by swapping the link `..data`.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let version = fs::canonicalize(directory.join("..data")).unwrap_or_else(|_| directory.to_owned());
        let read = |name: &str| {
            let path = version.join(name);
            let text = fs::read_to_string(&path).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
            let text = text.trim_end_matches(['\r', '\n']).to_owned();
            if text.is_empty() { Err(io::Error::other(format!("{} is empty", path.display()))) } else { Ok(text) }
        };
        Ok(Self { username: read("username")?, password: read("password")? })
    }
}
