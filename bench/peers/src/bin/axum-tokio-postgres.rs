//! axum and tokio-postgres: a few connections shared by all requests, whose statements the client pipelines by itself
//! (<https://docs.rs/tokio-postgres/#pipelining>).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use birthday_peers::axum::{Refusal, bad_request, serve, unavailable};
use birthday_peers::{FIND, Greeting, NewBirthday, Problem, SAVE, check};
use tokio_postgres::{Client, NoTls, Statement};

/// Measured: more than two are slower on two cores.
const CONNECTIONS: usize = 2;

struct Connection {
    client: Client,
    find: Statement,
    save: Statement,
}

struct Database {
    connections: Vec<Connection>,
    next: AtomicUsize,
}

impl Database {
    async fn connect(url: &str) -> Result<Self, tokio_postgres::Error> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            let (find, save) = (client.prepare(FIND).await?, client.prepare(SAVE).await?);
            connections.push(Connection { client, find, save });
        }
        Ok(Self { connections, next: AtomicUsize::new(0) })
    }

    fn connection(&self) -> &Connection {
        &self.connections[self.next.fetch_add(1, Ordering::Relaxed) % CONNECTIONS]
    }
}

#[tokio::main]
async fn main() {
    let database = Database::connect(&std::env::var("DATABASE_URL").unwrap()).await.unwrap();
    let router = Router::new().route("/hello/{username}", get(greet).put(save)).with_state(Arc::new(database));
    serve(router).await;
}

async fn greet(Path(username): Path<String>, State(database): State<Arc<Database>>) -> Result<Json<Greeting>, Refusal> {
    check(&username).map_err(bad_request)?;
    let Connection { client, find, .. } = database.connection();
    let row = client.query_opt(find, &[&username]).await.map_err(unavailable)?;
    let row = row.ok_or((StatusCode::NOT_FOUND, Json(Problem::UNKNOWN)))?;
    Ok(Json(Greeting::new(&username, row.get(0))))
}

async fn save(
    Path(username): Path<String>,
    State(database): State<Arc<Database>>,
    Json(body): Json<NewBirthday>,
) -> Result<StatusCode, Refusal> {
    check(&username).map_err(bad_request)?;
    let born = body.date().map_err(bad_request)?;
    let Connection { client, save, .. } = database.connection();
    client.execute(save, &[&username, &born]).await.map_err(unavailable)?;
    Ok(StatusCode::NO_CONTENT)
}
