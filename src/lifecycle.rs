//! Start, drain, stop.
//!
//! Load balancers still send requests when a service is asked to stop. So the service first says that it is leaving (`/readyz` 503,
//! `Connection: close`) and goes on answering, and only then closes its listener.

use std::net::SocketAddr;
use std::time::Duration;

use rocket::fairing::AdHoc;
use rocket::{Build, Rocket};
use rocket_db_pools::Database;
use tokio::time::sleep;

use crate::config::Settings;
use crate::http::{Draining, Server, StartError};
use crate::store::Birthdays;

/// How long database connections may take to close.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// Says at the start what runs where.
pub fn stage() -> AdHoc {
    AdHoc::on_liftoff("announcement", |rocket| {
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
    })
}

/// Serves until `stop` resolves, then drains and stops.
pub async fn serve(rocket: Rocket<Build>, stop: impl Future<Output = ()>) -> Result<(), StartError> {
    let mut server = Server::start(rocket).await?;
    let state = server.rocket();
    let drain = state.state::<Settings>().expect("lib.rs manages it before the start").lifecycle.drain;
    let draining = state.state::<Draining>().expect("the stage manages it").clone();
    let all_answered = server.run(async {
        stop.await;
        draining.0.set(1);
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
