//! The listener and its connections: how many may be open, and how long each may go without a request.
//!
//! Why not Rocket's own listener: docs/decisions/0009-connections.md.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rocket::local::asynchronous::Client;
use rocket::{Build, Orbit, Rocket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use super::dispatch::answer;
use super::metrics::{Connections, Metrics};
use crate::config::Settings;

/// The time from the connection to its first complete request.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// How long an answer may take until the kernel has all of it. A slow client delays it.
const ANSWER: Duration = Duration::from_secs(30);
/// The largest head of a request in bytes; hyper answers a larger one with 431.
const LARGEST_HEAD: usize = 32 * 1024;
/// Connections that the kernel queues until they are accepted (`net.core.somaxconn` is the usual limit). A client that finds the
/// queue full tries again after a second (RFC 6298, section 2.1).
const BACKLOG: u32 = 4096;
/// How long a connection may be idle before it can be closed to make room for another one.
const SETTLED: Duration = Duration::from_secs(1);
/// How long to wait when the system or the limit allows no further connection.
const PAUSE: Duration = Duration::from_millis(100);

pub struct Server {
    client: Client,
    http: http1::Builder,
    /// The time from the end of one answer to the next complete request.
    keep_alive: Duration,
    limit: usize,
    places: Arc<Semaphore>,
    /// Closed connections are removed every second.
    open: Mutex<Vec<Weak<Connection>>>,
    stopping: AtomicBool,
    metrics: Connections,
}

struct Connection {
    /// Since when it has been waiting for a request, and how long it may; `None` during a request, or while it closes.
    waiting: Mutex<Option<(Instant, Duration)>>,
    /// Closes the connection: at once, or after its answer while the service stops.
    end: Notify,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn waiting(&self) -> Option<(Instant, Duration)> {
        *self.waiting.lock()
    }

    fn wait(&self, limit: Option<Duration>) {
        *self.waiting.lock() = limit.map(|limit| (Instant::now(), limit));
    }

    fn end(&self) {
        self.wait(None);
        self.end.notify_one();
    }
}

/// The text of an answer. Hyper drops it when the kernel has all of it: only then does the wait for the next request begin.
struct Unwritten {
    text: Bytes,
    connection: Arc<Connection>,
    keep_alive: Duration,
}

impl AsRef<[u8]> for Unwritten {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        self.connection.wait(Some(self.keep_alive));
    }
}

impl Server {
    /// Binds the address, prepares `rocket`, and listens.
    pub async fn start(rocket: Rocket<Build>) -> Result<(Arc<Self>, TcpListener), Box<dyn Error>> {
        let settings: &Settings = rocket.state().expect("lib.rs manages it before the start");
        let address = SocketAddr::new(settings.rocket.address, settings.rocket.port);
        let failed = |error: io::Error| format!("cannot listen on {address}: {error}");
        // For the database's files and sockets, the log, the event queue.
        let other_files = 32 + 4 * settings.databases.birthdays.max_connections;
        let limit = allowed_by_files(settings.http.max_connections, other_files).map_err(failed)?;
        let (socket, port) = bound(address).map_err(failed)?;
        let figment = rocket.figment().clone().merge(("port", port));
        let rocket = rocket.configure(figment).ignite().await?;
        let listener = socket.listen(BACKLOG).map_err(failed)?;
        let client = Client::untracked(rocket).await?;
        let mut http = http1::Builder::new();
        let keep_alive = Duration::from_secs(client.rocket().config().keep_alive.into());
        http.half_close(true).max_buf_size(LARGEST_HEAD).keep_alive(!keep_alive.is_zero());
        let metrics = client.rocket().state::<Metrics>().expect("the stage manages it").connections.clone();
        let server = Self {
            client,
            http,
            keep_alive,
            limit,
            places: Arc::new(Semaphore::new(limit)),
            open: Mutex::default(),
            stopping: AtomicBool::default(),
            metrics,
        };
        Ok((Arc::new(server), listener))
    }

    pub fn rocket(&self) -> &Rocket<Orbit> {
        self.client.rocket()
    }

    /// Serves until `stop` resolves, then closes the connections. Returns false if some of them had to be cut off.
    pub async fn run(self: &Arc<Self>, listener: TcpListener, stop: impl Future<Output = ()>) -> bool {
        tokio::select! {
            () = self.accept(listener) => {}
            () = self.end_silent_connections() => {}
            () = stop => {}
        }
        self.stopping.store(true, Ordering::Relaxed);
        self.connections().iter().for_each(|connection| connection.end.notify_one());
        let grace = Duration::from_secs(self.rocket().config().shutdown.grace.into());
        let all = u32::try_from(self.limit).expect("far fewer than that");
        timeout(grace, self.places.acquire_many(all)).await.is_ok()
    }

    async fn accept(self: &Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let place = self.place().await;
                    let connection = Arc::new(Connection { waiting: Mutex::default(), end: Notify::new(), _place: place });
                    self.open.lock().push(Arc::downgrade(&connection));
                    tokio::spawn(self.clone().serve(stream, connection));
                }
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    self.end_longest_idle();
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Waits for a free connection slot; when there is none, closes the connections that have been idle longest.
    async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            if self.places.available_permits() == 0 {
                self.end_longest_idle();
            }
            if let Ok(place) = timeout(PAUSE, self.places.clone().acquire_owned()).await {
                return place.expect("it is never closed");
            }
        }
    }

    fn connections(&self) -> Vec<Arc<Connection>> {
        let mut open = self.open.lock();
        open.retain(|connection| connection.strong_count() > 0);
        self.metrics.open.set(open.len() as i64);
        open.iter().filter_map(Weak::upgrade).collect()
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, connection: Arc<Connection>) {
        // Counts from here and not from the accept: under load, the request may have been waiting to be read since then.
        connection.wait(Some(FIRST_REQUEST));
        // Fails if the client has already disconnected, which the next read will notice.
        let _ = stream.set_nodelay(true);
        let service = service_fn(async |request| {
            connection.wait(None);
            let answer = answer(&self.client, request).await;
            connection.wait(Some(ANSWER));
            let unwritten = |text| Unwritten { text, connection: connection.clone(), keep_alive: self.keep_alive };
            Ok::<_, Infallible>(answer.map(|text| Full::new(Bytes::from_owner(unwritten(text)))))
        });
        let mut http = pin!(self.http.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            biased;
            () = connection.end.notified() => if self.stopping.load(Ordering::Relaxed) {
                http.as_mut().graceful_shutdown();
                let config = self.client.rocket().config();
                let limit = if connection.waiting().is_none() { config.shutdown.grace } else { config.shutdown.mercy };
                let _ = timeout(Duration::from_secs(limit.into()), http).await;
            },
            // An error is the client's: it disconnected, or what it sent is not HTTP.
            _ = http.as_mut() => {}
        }
    }

    async fn end_silent_connections(&self) {
        loop {
            sleep(Duration::from_secs(1)).await;
            let connections = self.connections();
            let waiting = connections.iter().filter_map(|connection| Some((connection.waiting()?, connection)));
            let silent = waiting.filter(|((since, limit), _)| since.elapsed() > *limit);
            self.metrics.silent.inc_by(silent.map(|(_, connection)| connection.end()).count() as u64);
        }
    }

    /// Closes a sixteenth of the connections: those that have been idle longest.
    fn end_longest_idle(&self) {
        let connections = self.connections();
        let waiting = connections.iter().filter_map(|connection| Some((connection.waiting()?.0, connection)));
        let mut idle: Vec<_> = waiting.filter(|(since, _)| since.elapsed() >= SETTLED).collect();
        idle.sort_unstable_by_key(|(since, _)| *since);
        let ended = idle.iter().take((self.limit / 16).max(1)).map(|(_, connection)| connection.end());
        self.metrics.crowded.inc_by(ended.count() as u64);
    }
}

/// A socket bound to `address`, and its port: for port 0 the system chooses one.
fn bound(address: SocketAddr) -> io::Result<(TcpSocket, u16)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let port = socket.local_addr()?.port();
    Ok((socket, port))
}

/// How many of the `wanted` connections the limit of open files allows besides `others`. Raises that limit as far as it may.
fn allowed_by_files(wanted: usize, others: usize) -> io::Result<usize> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let (soft, hard) = (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX));
    let files = hard.min((wanted + others) as u64).max(soft);
    if files > soft {
        setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum })?;
    }
    let allowed = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(others).clamp(1, wanted);
    if allowed < wanted {
        tracing::warn!(
            "the limit of {files} open files allows {allowed} connections, fewer than the {wanted} of http.max_connections"
        );
    }
    Ok(allowed)
}
