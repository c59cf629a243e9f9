//! Limits on connections that send nothing, or half a request.
//!
//! Rocket 0.5 has no time-out for the head of a request, for the first bytes of its body, or between two requests, and keeps its
//! listener to itself. So a task looks at the sockets of this process once a second and shuts down those on which no request
//! has begun for too long. Every request is answered before its deadline, far below these limits, so none is cut short.
//! Works on Linux, where `/proc` lists the sockets; elsewhere a proxy in front has to set the limits.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rocket::fairing::AdHoc;
use tokio::time::Instant;

use super::request::started;

/// From the connection to its first whole request.
pub const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// From one request to the next. A proxy that reuses connections should give them up sooner.
pub const NEXT_REQUEST: Duration = Duration::from_secs(30);

/// When the last request of each client address began; only addresses of open connections stay.
type Requests = Arc<Mutex<HashMap<SocketAddr, Instant>>>;

pub fn limits() -> AdHoc {
    AdHoc::on_ignite("connection limits", |rocket| async {
        let requests = Requests::default();
        let noted = requests.clone();
        rocket
            .attach(AdHoc::on_request("connection activity", move |request, _| {
                if let Some(client) = request.remote() {
                    noted.lock().unwrap_or_else(PoisonError::into_inner).insert(client, started(request));
                }
                Box::pin(async {})
            }))
            .attach(AdHoc::on_liftoff("connection limits", move |rocket| {
                let port = rocket.config().port;
                Box::pin(async move { watch(port, requests) })
            }))
    })
}

#[cfg(target_os = "linux")]
fn watch(port: u16, requests: Requests) {
    tokio::spawn(async move {
        let mut seen: HashMap<SocketAddr, Instant> = HashMap::new();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = Instant::now();
            let open = match sockets::open(port) {
                Ok(open) => open,
                Err(error) => {
                    tracing::warn!("idle connections cannot be ended, the sockets cannot be listed: {error}");
                    continue;
                }
            };
            seen = open.iter().map(|(client, _)| (*client, seen.get(client).copied().unwrap_or(now))).collect();
            let last_requests: HashMap<SocketAddr, Instant> = {
                let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
                // A client address may come back on a new connection: what was noted before it was seen is not about it.
                requests.retain(|client, noted| seen.contains_key(client) || now.duration_since(*noted) < NEXT_REQUEST);
                requests.clone()
            };
            for (client, descriptor) in open {
                let since = match last_requests.get(&client) {
                    Some(last) => (*last, NEXT_REQUEST),
                    None => (seen[&client], FIRST_REQUEST),
                };
                if now.duration_since(since.0) > since.1 {
                    sockets::shut_down(client, descriptor);
                }
            }
        }
    });
}

#[cfg(not(target_os = "linux"))]
fn watch(_: u16, _: Requests) {
    tracing::info!("idle connections are not ended on this platform");
}

#[cfg(target_os = "linux")]
mod sockets {
    use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::os::fd::RawFd;
    use std::{fs, io};

    use nix::sys::socket::{Shutdown, SockaddrStorage, getpeername, getsockname, shutdown};

    /// The accepted connections of the listener on `port`: client address and descriptor.
    pub fn open(port: u16) -> io::Result<Vec<(SocketAddr, RawFd)>> {
        let mut open = Vec::new();
        for entry in fs::read_dir("/proc/self/fd")? {
            let Some(descriptor) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // Files and the listener itself have no peer.
            let (Ok(local), Ok(peer)) = (getsockname::<SockaddrStorage>(descriptor), getpeername::<SockaddrStorage>(descriptor))
            else {
                continue;
            };
            if let (Some(local), Some(client)) = (address(&local), address(&peer))
                && local.port() == port
            {
                open.push((client, descriptor));
            }
        }
        Ok(open)
    }

    /// Ends the connection if the descriptor still is the one to `client`.
    pub fn shut_down(client: SocketAddr, descriptor: RawFd) {
        if getpeername::<SockaddrStorage>(descriptor).ok().as_ref().and_then(address) == Some(client) {
            // It may have been closed by itself at this very moment, which is as good.
            let _ = shutdown(descriptor, Shutdown::Both);
        }
    }

    fn address(address: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = address.as_sockaddr_in().map(|address| SocketAddrV4::from(*address).into());
        v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddrV6::from(*address).into()))
    }
}
