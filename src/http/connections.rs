//! How many connections may wait, and limits on those that send nothing, or half a request.
//!
//! Rocket 0.5 has no time-out for the head of a request, for the first bytes of its body, or between two requests, and keeps its
//! listener to itself. So a task looks at the sockets of this process once a second and shuts down those on which no request
//! has begun for too long. Every request is answered before its deadline, far below these limits, so none is cut short.
//! Works on Linux, where `/proc` lists the sockets; elsewhere a proxy in front has to set the limits.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::{Data, Orbit, Request, Rocket};
use tokio::time::Instant;

use super::guards::started;

/// From the connection to its first whole request.
pub const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// From one request to the next. A proxy that reuses connections should give them up sooner.
pub const NEXT_REQUEST: Duration = Duration::from_secs(30);
/// Connections that the system keeps until they are accepted; `net.core.somaxconn` is the usual limit. Rocket asks for 128, and who is
/// left out of a larger burst tries again after a second (RFC 6298, section 2.1).
#[cfg(target_os = "linux")]
const BACKLOG: i32 = 4096;

/// When the last request of each client address began; only addresses of open connections stay.
type Requests = Arc<Mutex<HashMap<SocketAddr, Instant>>>;

#[derive(Default)]
pub struct Limits {
    requests: Requests,
}

#[rocket::async_trait]
impl Fairing for Limits {
    fn info(&self) -> Info {
        Info { name: "connection limits", kind: Kind::Request | Kind::Liftoff }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        if let Some(client) = request.remote() {
            self.requests.lock().unwrap_or_else(PoisonError::into_inner).insert(client, started(request));
        }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        watch(rocket.config().port, self.requests.clone());
    }
}

#[cfg(target_os = "linux")]
fn watch(port: u16, requests: Requests) {
    if let Err(error) = sockets::lengthen_queue(port, BACKLOG) {
        tracing::warn!("of a burst of connections only the first 128 are sure of a place: {error}");
    }
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
    use std::fs;
    use std::io::{self, IoSlice, IoSliceMut};
    use std::mem::MaybeUninit;
    use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::os::fd::{AsRawFd, OwnedFd, RawFd};
    use std::os::unix::net::UnixStream;

    use nix::sys::socket::{ControlMessage, MsgFlags, Shutdown, SockaddrStorage, getpeername, getsockname, sendmsg, shutdown};
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, listen, recvmsg, sockopt};

    /// The accepted connections of the listener on `port`: client address and descriptor.
    pub fn open(port: u16) -> io::Result<Vec<(SocketAddr, RawFd)>> {
        let sockets = on(port)?.into_iter();
        Ok(sockets.filter_map(|descriptor| Some((peer(descriptor)?, descriptor))).collect())
    }

    /// Lets up to `backlog` connections wait at the listener on `port`.
    pub fn lengthen_queue(port: u16, backlog: i32) -> io::Result<()> {
        for descriptor in on(port)?.into_iter().filter(|descriptor| peer(*descriptor).is_none()) {
            let socket = duplicate(descriptor)?;
            if sockopt::socket_acceptconn(&socket)? {
                return Ok(listen(&socket, backlog)?);
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    /// Sockets of this process whose own port is `port`.
    fn on(port: u16) -> io::Result<Vec<RawFd>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc/self/fd")? {
            let Some(descriptor) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let local = getsockname::<SockaddrStorage>(descriptor).ok();
            if local.as_ref().and_then(address).is_some_and(|local| local.port() == port) {
                found.push(descriptor);
            }
        }
        Ok(found)
    }

    /// Files and the listener itself have no peer.
    fn peer(descriptor: RawFd) -> Option<SocketAddr> {
        getpeername::<SockaddrStorage>(descriptor).ok().as_ref().and_then(address)
    }

    /// The socket as one that is owned: by a message from this process to itself, as a number alone proves no ownership (`SCM_RIGHTS`,
    /// unix(7)).
    fn duplicate(descriptor: RawFd) -> io::Result<OwnedFd> {
        let (from, to) = UnixStream::pair()?;
        let message = [ControlMessage::ScmRights(&[descriptor])];
        sendmsg::<()>(from.as_raw_fd(), &[IoSlice::new(&[0])], &message, MsgFlags::empty(), None)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut received = RecvAncillaryBuffer::new(&mut space);
        recvmsg(&to, &mut [IoSliceMut::new(&mut [0])], &mut received, RecvFlags::CMSG_CLOEXEC)?;
        let sockets = received
            .drain()
            .filter_map(|part| if let RecvAncillaryMessage::ScmRights(sockets) = part { Some(sockets) } else { None });
        sockets.flatten().next().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Ends the connection if the descriptor still is the one to `client`.
    pub fn shut_down(client: SocketAddr, descriptor: RawFd) {
        if peer(descriptor) == Some(client) {
            // It may have been closed by itself at this very moment, which is as good.
            let _ = shutdown(descriptor, Shutdown::Both);
        }
    }

    fn address(address: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = address.as_sockaddr_in().map(|address| SocketAddrV4::from(*address).into());
        v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddrV6::from(*address).into()))
    }
}
