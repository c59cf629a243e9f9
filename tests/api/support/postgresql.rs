//! PostgreSQL servers: one that all tests of this process share, and separate ones for tests that break them.
//!
//! A server never outlives the tests: a shell between the two waits for the end of its standard input, which comes when this
//! process ends for any reason, and then stops the server and removes its data.

use std::env;
use std::fs::{self, Permissions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use sqlx::{Connection, PgConnection};

use super::archive::{NOBODY, binaries, own_uid};
use super::{block_on, random};

const PATIENCE: Duration = Duration::from_secs(60);

/// Creates the data if there is none, starts the server ($1: binaries, $2: directory; the rest are the server's arguments) and
/// reads the signal to stop the server with. At the end of input the tests are over, and the data is removed too. The signal is
/// repeated, because a server that is still starting ignores it.
const KEEPER: &str = r#"
binaries=$1 directory=$2; shift 2
[ -d "$directory/data" ] || "$binaries/initdb" -D "$directory/data" --pwfile="$directory/password" --no-sync --username=postgres \
    --auth=scram-sha-256 -c scram_iterations=1 --encoding=UTF8 --locale=C >"$directory/log" 2>&1 </dev/null || exit
"$binaries/postgres" -D "$directory/data" "$@" >"$directory/log" 2>&1 </dev/null & server=$!
stop() { while kill -s "$1" "$server"; do sleep 0.1; done; }
if read -r signal; then stop "$signal"; else stop QUIT; rm -rf "$directory"; fi
"#;

pub type Authority = CertifiedIssuer<'static, KeyPair>;

pub fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    // With the same name on both, OpenSSL would take the server's certificate for its own issuer.
    params.distinguished_name.push(DnType::CommonName, "authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub struct Server {
    pub port: u16,
    pub password: String,
    pub directory: PathBuf,
    arguments: Vec<String>,
    keeper: Option<Child>,
}

/// The URL of the server that tests share: without a database, for a user who may create databases and roles.
pub fn shared() -> reqwest::Url {
    static SHARED: OnceLock<Server> = OnceLock::new();
    match env::var("DATABASE_URL") {
        Ok(url) => url.parse().expect("DATABASE_URL is a URL"),
        Err(_) => SHARED.get_or_init(|| Server::start(&[])).url("postgres").parse().unwrap(),
    }
}

impl Server {
    /// A new server with additional `settings` (`name=value`).
    pub fn start(settings: &[&str]) -> Self {
        Self::with_password(random(), |_| {}, settings)
    }

    /// A new server that accepts only encrypted connections, with a certificate for `host`.
    pub fn with_tls(authority: &Authority, host: &str, settings: &[&str]) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![host.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
        let files = |directory: &Path| {
            fs::write(directory.join("server.crt"), certificate.pem()).unwrap();
            fs::write(directory.join("server.key"), key.serialize_pem()).unwrap();
            fs::write(directory.join("hba"), "hostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        };
        let tls = ["ssl=on", "ssl_cert_file=../server.crt", "ssl_key_file=../server.key", "hba_file=hba"];
        Self::with_password(random(), files, &[&tls, settings].concat())
    }

    /// A new server whose directory is prepared by `arrange`. Data in it comes from a server with this `password`.
    pub fn with_password(password: String, arrange: impl FnOnce(&Path), settings: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("birthday-api-").tempdir().unwrap().keep();
        fs::write(directory.join("password"), &password).unwrap();
        arrange(&directory);
        give_away(&directory);
        // Data lost in a crash of the machine does not matter here; a crash of the server loses nothing.
        let quick = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300", "fsync=off"];
        let arguments = quick.iter().chain(settings).flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]).collect();
        let mut server = Self { port: 0, password, directory, arguments, keeper: None };
        for _ in 0..5 {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if server.resume() {
                return server;
            }
        }
        panic!("PostgreSQL found no free port: {}", server.log());
    }

    /// Starts it on the same port and data; false if the port is taken.
    pub fn resume(&mut self) -> bool {
        let keeper = as_server(Path::new("/bin/sh"))
            .args(["-c", KEEPER, "keeper"])
            .arg(binaries())
            .arg(&self.directory)
            .args(["-p", &self.port.to_string()])
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir(&self.directory)
            // Ctrl-C is meant for the tests only: the server ends after them.
            .process_group(0)
            .spawn()
            .unwrap();
        self.keeper = Some(keeper);
        let started = Instant::now();
        let url = self.url("postgres");
        while block_on(PgConnection::connect(&url)).is_err() {
            if self.log().contains("could not create any TCP/IP sockets") {
                self.stop("QUIT");
                return false;
            }
            let ended = self.keeper.as_mut().is_some_and(|keeper| keeper.try_wait().unwrap().is_some());
            assert!(!ended && started.elapsed() < PATIENCE, "PostgreSQL did not start: {}", self.log());
            sleep(Duration::from_millis(50));
        }
        true
    }

    /// Stops it with `signal`: `INT` ends sessions first, `QUIT` is a crash, `KILL` kills the server process. The data stays.
    pub fn stop(&mut self, signal: &str) {
        let mut keeper = self.keeper.take().expect("it runs");
        writeln!(keeper.stdin.take().unwrap(), "{signal}").unwrap();
        keeper.wait().unwrap();
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    pub fn log_file(&self) -> PathBuf {
        self.directory.join("log")
    }

    fn log(&self) -> String {
        // A missing file counts as empty.
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            keeper.wait().unwrap();
        }
        let started = Instant::now();
        // Processes of a killed server may keep writing for a moment.
        while self.directory.exists() && fs::remove_dir_all(&self.directory).is_err() {
            assert!(started.elapsed() < PATIENCE || std::thread::panicking(), "{} cannot be removed", self.directory.display());
            sleep(Duration::from_millis(50));
        }
    }
}

/// PostgreSQL refuses to run as root.
fn as_server(program: &Path) -> Command {
    let mut command = Command::new(program);
    if own_uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Gives a file, or a directory with its contents, to the user that PostgreSQL runs as, with access for that user only.
fn give_away(path: &Path) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give_away(&entry.unwrap().path()));
    }
    fs::set_permissions(path, Permissions::from_mode(if path.is_dir() { 0o700 } else { 0o600 })).unwrap();
    if own_uid() == 0 {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}
