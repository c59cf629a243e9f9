//! A small load balancer: new connections go, in turn, to the instances whose `/readyz` says 200.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use super::load::client;
use super::proxy::Proxy;

/// How often it asks.
const PERIOD: Duration = Duration::from_millis(100);

pub struct Balancer {
    pub address: SocketAddr,
    instances: Arc<Mutex<Vec<SocketAddr>>>,
    refused: Arc<AtomicUsize>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Balancer {
    pub fn start(instances: &[SocketAddr]) -> Self {
        let proxy = Proxy::start(instances[0]);
        let (address, instances) = (proxy.address, Arc::new(Mutex::new(instances.to_vec())));
        let refused = proxy.refused.clone();
        let (watched, (stop, stopped)) = (instances.clone(), mpsc::channel());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let client = client();
            while stopped.recv_timeout(PERIOD) == Err(mpsc::RecvTimeoutError::Timeout) {
                let all = watched.lock().unwrap().clone();
                let ready = runtime.block_on(rocket::futures::future::join_all(all.iter().map(async |instance| {
                    let answer = client.get(format!("http://{instance}/readyz")).send().await;
                    answer.is_ok_and(|answer| answer.status() == 200).then_some(*instance)
                })));
                proxy.retarget(&ready.into_iter().flatten().collect::<Vec<_>>());
            }
        });
        Self { address, instances, refused, stop: Some(stop), thread: Some(thread) }
    }

    /// How many connections it led to an instance that takes none.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    pub fn replace(&self, old: SocketAddr, new: SocketAddr) {
        let mut instances = self.instances.lock().unwrap();
        instances.retain(|instance| *instance != old);
        instances.push(new);
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(!matches!(ended, Some(Err(_))) || std::thread::panicking(), "the balancer failed");
    }
}
