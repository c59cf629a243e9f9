//! The real service in this process, with its own port, its own database and a stopped clock.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use birthday_api::clock::Clock;
use birthday_api::config::Settings;
use birthday_api::lifecycle;
use chrono::{DateTime, Utc};
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use rocket::fairing::AdHoc;
use tokio::sync::oneshot;

use super::{Client, Database, Store};

/// The clock's initial time: noon on a day in a common year.
const NOW: &str = "2026-11-23T12:00:00Z";

pub struct TestApp {
    pub address: SocketAddr,
    pub client: Client,
    time: Arc<Mutex<Time>>,
    running: Option<(Option<oneshot::Sender<()>>, JoinHandle<()>)>,
    /// The last field, so that it is dropped after the service.
    pub database: Database,
}

/// The time on the service's clock, and how often it was read.
struct Time {
    now: DateTime<Utc>,
    readings: usize,
}

impl TestApp {
    pub fn start(store: Store) -> Self {
        Self::with(Database::new(store), "")
    }

    /// Starts on `database`, with `settings`: TOML as in Rocket.toml.
    pub fn with(database: Database, settings: &str) -> Self {
        let url = database.url();
        Self::at(database, &url, settings)
    }

    /// The same, but reaches the database through another URL.
    pub fn at(database: Database, url: &str, settings: &str) -> Self {
        let time = Arc::new(Mutex::new(Time { now: NOW.parse().unwrap(), readings: 0 }));
        let clock = Clock::new({
            let time = time.clone();
            move || {
                let mut time = time.lock().unwrap();
                time.readings += 1;
                time.now
            }
        });
        let figment = figment(url).merge(Toml::string(settings).nested());
        let (figment, settings) = Settings::load(&figment).unwrap();
        let (ready, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let rocket = birthday_api::rocket(figment, settings, clock).attach(AdHoc::on_liftoff("address", |rocket| {
                    let address = SocketAddr::new(rocket.config().address, rocket.config().port);
                    Box::pin(async move { ready.send(address).unwrap() })
                }));
                let stop = async {
                    // A failed test drops the sender.
                    let _ = stopped.await;
                };
                lifecycle::serve(rocket, stop).await.unwrap();
            });
        });
        let Ok(address) = started.recv() else {
            std::panic::resume_unwind(thread.join().expect_err("it did not start"));
        };
        Self { address, client: Client::new(address), time, running: Some((Some(stop), thread)), database }
    }

    /// Sets the clock.
    pub fn at_time(&self, now: &str) {
        self.time.lock().unwrap().now = now.parse().unwrap();
    }

    /// Sets the clock to noon UTC of a date.
    pub fn on(&self, date: &str) {
        self.at_time(&format!("{date}T12:00:00Z"));
    }

    pub fn clock_readings(&self) -> usize {
        self.time.lock().unwrap().readings
    }

    /// Starts the shutdown that SIGTERM starts.
    pub fn begin_to_stop(&mut self) {
        self.running.as_mut().map(|(stop, _)| stop.take()).expect("it runs");
    }
}

/// The defaults, except for a free port, a database at `url` with its schema, no drain, and time limits for a busy machine.
pub fn figment(url: &str) -> Figment {
    Figment::from(Toml::string(include_str!("../../../Rocket.toml")).nested())
        .merge(Serialized::default("port", 0))
        .merge(Serialized::default("lifecycle.drain", 0))
        .merge(Serialized::default("shutdown.grace", 30))
        .merge(Serialized::default("databases.birthdays.url", url))
        .merge(Serialized::default("databases.birthdays.migrate", true))
        .merge(Serialized::default("databases.birthdays.connect_timeout", 15))
        .merge(Serialized::default("databases.birthdays.query_timeout", 15))
}

/// Method and path template (`/hello/<username>`) of each mounted route, except for those that only answer that a method is not
/// allowed.
pub async fn routes() -> Vec<(String, String)> {
    let database = Database::new(Store::Sqlite);
    let (figment, settings) = Settings::load(&figment(&database.url())).unwrap();
    let rocket = birthday_api::rocket(figment, settings, Clock::new(|| NOW.parse().unwrap())).ignite().await.unwrap();
    let routes = rocket.routes().filter(|route| route.rank < 100);
    routes.map(|route| (route.method.to_string(), route.uri.path().to_owned())).collect()
}

impl Deref for TestApp {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            let stopped = thread.join();
            assert!(stopped.is_ok() || std::thread::panicking(), "the service did not stop cleanly");
        }
    }
}
