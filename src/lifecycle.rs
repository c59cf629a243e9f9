//! Start, drain, stop.
//!
//! Rocket closes its listener as soon as a stop is requested, while load balancers still send requests. So the service first says
//! that it is leaving (`/readyz` 503, `Connection: close`) and goes on answering, and only then has Rocket stop.

use std::net::SocketAddr;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use rocket::fairing::AdHoc;
use rocket::http::Header;
use rocket::{Build, Rocket};
use rocket_db_pools::Database;
use tokio::time::sleep;

use crate::config::Settings;
use crate::store::Birthdays;

/// How long database connections may take to close.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// Whether the service is about to stop, as a figure that can be watched: 1 if so.
#[derive(Clone, Default)]
pub struct Draining(pub Gauge);

impl Draining {
    pub fn is_set(&self) -> bool {
        self.0.get() == 1
    }
}

/// Says at the start what runs where, and while draining asks clients to take their next request elsewhere.
pub fn stage() -> AdHoc {
    AdHoc::on_ignite("lifecycle", |rocket| async {
        let draining = Draining::default();
        rocket
            .manage(draining.clone())
            .attach(AdHoc::on_response("draining", move |_, response| {
                if draining.is_set() {
                    response.set_header(Header::new("Connection", "close"));
                }
                Box::pin(async {})
            }))
            .attach(AdHoc::on_liftoff("announcement", |rocket| {
                Box::pin(async move {
                    let settings = rocket.state::<Settings>().expect("lib.rs manages it before the start");
                    let (birthday, database) = (&settings.birthday, &settings.databases.birthdays);
                    tracing::info!(
                        "listening on http://{}, database {}, today is decided by {}, leap day {}",
                        SocketAddr::new(rocket.config().address, rocket.config().port),
                        database.url,
                        birthday.time_zone,
                        birthday.leap_day,
                    );
                })
            }))
    })
}

/// Serves until `stop` resolves, then drains and stops. The error is why it could not start or had to cut requests off.
pub async fn serve(rocket: Rocket<Build>, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Box<rocket::Error>> {
    let rocket = rocket.ignite().await.map_err(Box::new)?;
    let drain = rocket.state::<Settings>().expect("lib.rs manages it before the start").lifecycle.drain;
    let draining = rocket.state::<Draining>().expect("the stage manages it").clone();
    let shutdown = rocket.shutdown();
    let stopping = tokio::spawn(async move {
        stop.await;
        draining.0.set(1);
        tracing::info!("draining for {} s", drain.as_secs_f64());
        sleep(drain).await;
        shutdown.notify();
    });
    let served = rocket.launch().await;
    stopping.abort();
    if let Some(birthdays) = Birthdays::fetch(&served.map_err(Box::new)?) {
        birthdays.finish(CLOSE_LIMIT).await;
    }
    tracing::info!("stopped");
    Ok(())
}
