//! A network that fails on command, between the service and its database. It also stands in for DNS: new connections lead to the
//! target that was set last.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Nothing listens, and open connections close.
    Refuse,
    /// Connections are reset, both open and new ones.
    Reset,
    /// New connections are reset; open ones work.
    Full,
    /// No byte passes, and neither side gets an error.
    BlackHole,
    /// Open connections lead nowhere from now on, as if the other machine had lost power; new ones work.
    HalfOpen,
    /// Open connections close after this many more bytes of answers; new ones work.
    Cut(usize),
}

#[derive(Clone)]
struct Network {
    target: SocketAddr,
    fault: Fault,
    /// How often the fault was set: a connection that was made before the last time counts as open.
    times: usize,
}

pub struct Proxy {
    pub address: SocketAddr,
    network: watch::Sender<Network>,
    accepted: Arc<AtomicUsize>,
    _stop: oneshot::Sender<()>,
}

impl Proxy {
    /// Runs on its own thread, so that it works whatever the test waits for.
    pub fn start(target: SocketAddr) -> Self {
        let (network, watched) = watch::channel(Network { target, fault: Fault::None, times: 0 });
        let (ready, started) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = accept(listener, watched, count) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address: started.recv().unwrap(), network, accepted, _stop: stop }
    }

    pub fn set(&self, fault: Fault) {
        self.network.send_modify(|network| {
            network.fault = fault;
            network.times += 1;
        });
    }

    /// New connections go there; open ones stay where they are.
    pub fn retarget(&self, target: SocketAddr) {
        self.network.send_modify(|network| network.target = target);
    }

    /// How many connections were made through it.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, mut network: watch::Receiver<Network>, accepted: Arc<AtomicUsize>) {
    let address = listener.local_addr().unwrap();
    let mut listener = Some(listener);
    loop {
        if network.borrow_and_update().fault == Fault::Refuse {
            listener = None;
            // The proxy ends with the test.
            if network.changed().await.is_err() {
                return;
            }
            continue;
        }
        if listener.is_none() {
            listener = Some(TcpListener::bind(address).await.unwrap());
        }
        tokio::select! {
            client = listener.as_ref().unwrap().accept() => {
                accepted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(relay(client.unwrap().0, network.clone()));
            }
            changed = network.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

async fn relay(mut client: TcpStream, mut network: watch::Receiver<Network>) {
    let Ok(Network { target, times, .. }) =
        network.wait_for(|network| network.fault != Fault::BlackHole).await.map(|now| now.clone())
    else {
        return;
    };
    let reset = |client: &TcpStream| client.set_zero_linger().unwrap();
    if network.borrow().fault == Fault::Full {
        return reset(&client);
    }
    let Ok(mut server) = TcpStream::connect(target).await else {
        return reset(&client);
    };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let mut ends = network.clone();
        tokio::select! {
            () = pump(from_client, to_server, network.clone(), times, false) => {}
            () = pump(from_server, to_client, network.clone(), times, true) => {}
            _ = ends.wait_for(|now| {
                matches!(now.fault, Fault::Reset | Fault::Refuse) || (now.fault == Fault::HalfOpen && now.times != times)
            }) => {}
        }
    }
    let fault = network.borrow().fault;
    match fault {
        Fault::Reset => {
            reset(&client);
            reset(&server);
        }
        Fault::HalfOpen => {
            drop(server);
            while client.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
        }
        _ => {}
    }
}

/// Forwards data until either side closes, or the fault ends the connection.
async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut network: watch::Receiver<Network>, born: usize, answers: bool) {
    let (mut buffer, mut passed) = ([0; 16 * 1024], 0);
    loop {
        if network.wait_for(|now| now.fault != Fault::BlackHole).await.is_err() {
            return;
        }
        let length = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            _ = network.wait_for(|now| now.fault == Fault::BlackHole) => continue,
        };
        let Network { fault, times, .. } = network.borrow().clone();
        let mut rest = length;
        if let Fault::Cut(limit) = fault
            && answers
            && times != born
        {
            rest = length.min(limit.saturating_sub(passed));
            passed += rest;
        }
        if to.write_all(&buffer[..rest]).await.is_err() || rest < length || length == 0 {
            return;
        }
    }
}
