//! axum and sqlx: the pool with its defaults as the router's state, as in axum's own sqlx-postgres example.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use birthday::{FIND, Greeting, NewBirthday, Problem, SAVE, check};
use sqlx::PgPool;
use sqlx::types::chrono::NaiveDate;

type Refusal = (StatusCode, Json<Problem>);

#[tokio::main]
async fn main() {
    let pool = PgPool::connect(&std::env::var("DATABASE_URL").unwrap()).await.unwrap();
    let router = Router::new().route("/hello/{username}", get(greet).put(save)).with_state(pool);
    let address = format!("127.0.0.1:{}", std::env::var("PORT").unwrap());
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    axum::serve(listener, router).await.unwrap();
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

fn bad_request(problem: Problem) -> Refusal {
    (StatusCode::BAD_REQUEST, Json(problem))
}

fn unavailable(error: sqlx::Error) -> Refusal {
    eprintln!("{error}");
    (StatusCode::SERVICE_UNAVAILABLE, Json(Problem::UNAVAILABLE))
}
