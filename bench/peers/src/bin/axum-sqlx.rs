//! axum and sqlx: the pool with its defaults as the router's state, as in axum's own sqlx-postgres example.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use birthday_peers::axum::{Refusal, bad_request, serve, unavailable};
use birthday_peers::{FIND, Greeting, NewBirthday, Problem, SAVE, check};
use sqlx::PgPool;
use sqlx::types::chrono::NaiveDate;

#[tokio::main]
async fn main() {
    let pool = PgPool::connect(&std::env::var("DATABASE_URL").unwrap()).await.unwrap();
    let router = Router::new().route("/hello/{username}", get(greet).put(save)).with_state(pool);
    serve(router).await;
}

async fn greet(Path(username): Path<String>, State(pool): State<PgPool>) -> Result<Json<Greeting>, Refusal> {
    check(&username).map_err(bad_request)?;
    let born: Option<NaiveDate> = sqlx::query_scalar(FIND).bind(&username).fetch_optional(&pool).await.map_err(unavailable)?;
    let born = born.ok_or((StatusCode::NOT_FOUND, Json(Problem::UNKNOWN)))?;
    Ok(Json(Greeting::new(&username, born)))
}

async fn save(
    Path(username): Path<String>,
    State(pool): State<PgPool>,
    Json(body): Json<NewBirthday>,
) -> Result<StatusCode, Refusal> {
    check(&username).map_err(bad_request)?;
    let born = body.date().map_err(bad_request)?;
    sqlx::query(SAVE).bind(&username).bind(born).execute(&pool).await.map_err(unavailable)?;
    Ok(StatusCode::NO_CONTENT)
}
