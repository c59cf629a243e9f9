//! The command line: `birthday-api [serve | migrate | copy | healthcheck | openapi]`.

use std::error::Error;
use std::io::{IsTerminal, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use birthday_api::clock::Clock;
use birthday_api::config::{self, SettingError, Settings};
use birthday_api::store::DatabaseUrl;
use birthday_api::{http, lifecycle, logging, store};
use clap::{Parser, Subcommand};
use figment::Figment;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

/// Cheaper than the system allocator for the many small, short-lived allocations of each request.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Stores a date of birth per username and says how many days remain until the birthday.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve requests (the default)
    Serve,
    /// Bring the database's schema up to date, then exit
    Migrate {
        /// How many seconds to wait for a database that is unreachable or locked
        #[arg(long, default_value_t = 60)]
        wait: u64,
    },
    /// Copy all birthdays to another database. For a backup the service may keep running; to switch to the copy, stop it first:
    /// what it saves or deletes meanwhile is not in the copy
    Copy {
        /// URL of the database to read
        #[arg(long)]
        from: String,
        /// URL of the database to write
        #[arg(long)]
        to: String,
        /// Delete the target's birthdays first
        #[arg(long)]
        replace: bool,
    },
    /// Ask the service on this machine whether it is ready: exit code 0 if so, 1 if not
    Healthcheck,
    /// Print the OpenAPI document
    Openapi,
}

/// An error ends the process with one line and exit code 2 if a setting is wrong, otherwise 1.
type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command.unwrap_or(Command::Serve) {
        Command::Serve => settings().and_then(|(figment, settings)| serve(figment, settings)),
        Command::Migrate { wait } => settings().and_then(|(_, settings)| migrate(&settings, Duration::from_secs(wait))),
        Command::Copy { from, to, replace } => copy(&from, &to, replace),
        Command::Healthcheck => settings().and_then(|(_, settings)| healthcheck(&settings)),
        Command::Openapi => {
            // The reader may have closed the pipe.
            let _ = std::io::stdout().write_all(http::openapi().as_bytes());
            Ok(())
        }
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("birthday-api: {error}");
    ExitCode::from(if error.is::<SettingError>() { 2 } else { 1 })
}

fn settings() -> Result<(Figment, Settings), Box<dyn Error>> {
    Ok(Settings::load(&config::figment()?)?)
}

fn serve(figment: Figment, settings: Settings) -> Outcome {
    let _lines = logging::start(settings.telemetry.format);
    run(runtime(&settings)?, async {
        let stop = stop_signal()?;
        lifecycle::serve(birthday_api::rocket(figment, settings, Clock::system()), stop).await
    })
}

fn migrate(settings: &Settings, wait: Duration) -> Outcome {
    let _lines = logging::start(settings.telemetry.format);
    let database = &settings.databases.birthdays;
    run(runtime(settings)?, store::migrate_within(database, wait))?;
    tracing::info!("the schema of {} is up to date", database.url);
    Ok(())
}

fn copy(from: &str, to: &str, replace: bool) -> Outcome {
    let _lines = logging::start(config::LogFormat::Text);
    let url = |option: &str, url: &str| url.parse().map_err(|reason| SettingError { key: option.to_owned(), reason });
    let (from, to): (DatabaseUrl, DatabaseUrl) = (url("--from", from)?, url("--to", to)?);
    let terminal = std::io::stderr().is_terminal();
    let progress = |rows| {
        if terminal {
            eprint!("\r{rows} rows");
        }
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let rows = run(runtime, store::copy(&from, &to, replace, progress))?;
    if terminal {
        eprintln!();
    }
    tracing::info!("{rows} birthdays copied from {from} to {to}, and verified");
    Ok(())
}

/// A single thread has no coordination overhead; use more only on a machine that this service has to itself.
fn runtime(settings: &Settings) -> std::io::Result<Runtime> {
    let mut builder = match settings.rocket.workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(settings.rocket.workers).max_blocking_threads(settings.rocket.max_blocking).enable_all().build()
}

/// Runs `future` to its end. A name that is still being resolved is not waited for, as dropping the runtime would.
fn run<T>(runtime: Runtime, future: impl Future<Output = T>) -> T {
    let outcome = runtime.block_on(future);
    runtime.shutdown_background();
    outcome
}

/// Resolves at the first SIGTERM or SIGINT (Ctrl-C); a second one ends the process at once.
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // The exit code, by the shell's convention: 128 plus the signal number.
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => 143,
            _ = interrupt.recv() => 130,
        }
    };
    Ok(async move {
        next().await;
        tokio::spawn(async move { std::process::exit(next().await) });
    })
}

/// Writes one HTTP request by hand: a client library would double what a container's health check has to load.
fn healthcheck(settings: &Settings) -> Outcome {
    const LIMIT: Duration = Duration::from_secs(2);
    let address = match settings.rocket.address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    let ask = || {
        let mut connection = TcpStream::connect_timeout(&SocketAddr::new(address, settings.rocket.port), LIMIT)?;
        connection.set_read_timeout(Some(LIMIT))?;
        connection.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        connection.take(4096).read_to_string(&mut answer).map(|_| answer)
    };
    let answer = ask().map_err(|error: std::io::Error| format!("not ready: {error}"))?;
    let status = answer.lines().next().unwrap_or("no answer");
    if status.contains(" 200 ") { Ok(()) } else { Err(format!("not ready: {status}").into()) }
}
