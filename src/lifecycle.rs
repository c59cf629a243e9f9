//! Start, drain, stop.
//!
//! Load balancers keep sending requests for a while after a service is asked to stop. So the service first announces its shutdown
//! (`/readyz` 503, `Connection: close`) and keeps answering, and only then closes its listener.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use rocket::{Build, Rocket};
use rocket_db_pools::Database;
use tokio::time::sleep;

use crate::config::Settings;
use crate::http::{Metrics, Server};
use crate::store::{self, Birthdays};

/// How long database connections may take to close.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// Brings the schema up to date, serves until `stop` resolves, then drains and stops.
pub async fn serve(rocket: Rocket<Build>, stop: impl Future<Output = ()>) -> Result<(), Box<dyn Error>> {
    let settings: &Settings = rocket.state().expect("lib.rs manages it");
    store::migrate_at_start(&settings.databases.birthdays).await?;
    let (server, listener) = Server::start(rocket).await?;
    let rocket = server.rocket();
    let settings: &Settings = rocket.state().expect("lib.rs manages it");
    tracing::info!(
        "listening on http://{}, database {}, time zone {}, leap day {}",
        SocketAddr::new(rocket.config().address, rocket.config().port),
        settings.databases.birthdays.url,
        settings.birthday.time_zone,
        format!("{:?}", settings.birthday.leap_day).to_lowercase(),
    );
    let drain = settings.lifecycle.drain;
    let metrics: &Metrics = rocket.state().expect("http manages it");
    let all_answered = server.run(listener, async {
        stop.await;
        metrics.draining.set(1);
        tracing::info!("draining for {} s", drain.as_secs_f64());
        sleep(drain).await;
    });
    if !all_answered.await {
        tracing::warn!("requests were cut off: they took longer than shutdown.grace");
    }
    if let Some(birthdays) = Birthdays::fetch(server.rocket()) {
        birthdays.finish(CLOSE_LIMIT).await;
    }
    tracing::info!("stopped");
    Ok(())
}
