//! What the peers on axum share.

use std::fmt::Display;

use axum::http::StatusCode;
use axum::{Json, Router};

use crate::Problem;

pub type Refusal = (StatusCode, Json<Problem>);

pub async fn serve(router: Router) {
    let address = format!("127.0.0.1:{}", std::env::var("PORT").unwrap());
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    axum::serve(listener, router).await.unwrap();
}

pub fn bad_request(problem: Problem) -> Refusal {
    (StatusCode::BAD_REQUEST, Json(problem))
}

pub fn unavailable(error: impl Display) -> Refusal {
    eprintln!("{error}");
    (StatusCode::SERVICE_UNAVAILABLE, Json(Problem::UNAVAILABLE))
}
