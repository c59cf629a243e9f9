//! The real binary as a separate process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::ops::Deref;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, fs};

use rustix::process::{Pid, Signal, kill_process};

use super::Client;
use super::archive::{NOBODY, own_uid};

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program under test: BIRTHDAY_API, or what cargo built for the tests; in `examples/start.rs`, the binary built next to it.
pub fn binary() -> PathBuf {
    let built = option_env!("CARGO_BIN_EXE_birthday-api").map(PathBuf::from);
    env::var_os("BIRTHDAY_API").map(PathBuf::from).or(built).unwrap_or_else(|| {
        let this = env::current_exe().unwrap();
        this.parent().and_then(Path::parent).expect("target/debug/examples/start").join("birthday-api")
    })
}

/// `birthday-api` in `directory`, with a free port and no settings inherited from the environment.
pub fn command(directory: &Path) -> Command {
    command_by(&binary(), directory)
}

/// The same, run through another `program`.
pub fn command_by(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ROCKET_")) {
        command.env_remove(name);
    }
    command.current_dir(directory).env("ROCKET_PORT", "0").env_remove("DATABASE_URL");
    command
}

/// `birthday-api` in `directory`, run by a user without root's privileges. That user owns the directory.
pub fn unprivileged(directory: &Path) -> Command {
    if own_uid() != 0 {
        return command(directory);
    }
    // Other users may be unable to read the build directory.
    let copy = directory.join("birthday-api");
    fs::copy(binary(), &copy).unwrap();
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.chain([directory.to_owned()]).for_each(|path| chown(path, Some(NOBODY), Some(NOBODY)).unwrap());
    let mut command = command_by(&copy, directory);
    command.uid(NOBODY).gid(NOBODY);
    command
}

/// How a command ended, and its output.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command that is expected to end by itself.
pub fn finish(command: &mut Command) -> Ended {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = Pid::from_child(&child);
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(2 * PATIENCE) else {
        kill_process(id, Signal::KILL).unwrap();
        panic!("{command:?} did not end");
    };
    let (output, text) = (output.unwrap(), |bytes| String::from_utf8(bytes).unwrap());
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

pub struct Service {
    pub address: SocketAddr,
    pub client: Client,
    child: Child,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Service {
    /// Starts the service and waits for the line that says where it listens.
    pub fn start(command: &mut Command) -> Self {
        Self::start_logging(command, |_| {})
    }

    /// The same, and passes each line of its log to `also`.
    pub fn start_logging(command: &mut Command, mut also: impl FnMut(&str) + Send + 'static) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Log::default());
        let (stderr, noted) = (BufReader::new(child.stderr.take().unwrap()), log.clone());
        std::thread::spawn(move || {
            for line in stderr.lines() {
                let line = line.unwrap();
                also(&line);
                noted.lines.lock().unwrap().push(line);
                noted.more.notify_all();
            }
        });
        let line = wait_for(&log, "listening on http://").unwrap_or_else(|lines| {
            // It did not start, so there is nothing else to stop.
            let _ = child.kill();
            panic!("no start within {PATIENCE:?}: {lines:#?}")
        });
        let address = line.split("http://").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        Self { address, client: Client::new(address), child, log }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        self.log.lines.lock().unwrap().join("\n")
    }

    /// Waits for the first log line that contains `text`.
    pub fn line(&self, text: &str) -> String {
        wait_for(&self.log, text).unwrap_or_else(|lines| panic!("no {text:?} in {lines:#?}"))
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it ends; fails if it is still running after `limit`.
    pub fn ended(&mut self, limit: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < limit, "it still runs after {limit:?}: {}", self.log());
            sleep(Duration::from_millis(10));
        }
    }
}

fn wait_for(log: &Log, text: &str) -> Result<String, Vec<String>> {
    let missing = |lines: &mut Vec<String>| !lines.iter().any(|line| line.contains(text));
    let (lines, _) = log.more.wait_timeout_while(log.lines.lock().unwrap(), PATIENCE, missing).unwrap();
    lines.iter().find(|line| line.contains(text)).cloned().ok_or_else(|| lines.clone())
}

impl Deref for Service {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself, as most of the tests expect.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
