//! actix-web and tokio-postgres: each worker thread has a connection of its own, made by `data_factory`, and shares nothing.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Path};
use actix_web::{App, HttpResponse, HttpServer, get, put};
use birthday_peers::{FIND, Greeting, NewBirthday, Problem, SAVE, check};
use tokio_postgres::{Client, NoTls, Statement};

struct Database {
    client: Client,
    find: Statement,
    save: Statement,
}

impl Database {
    async fn connect() -> Result<Self, tokio_postgres::Error> {
        let url = std::env::var("DATABASE_URL").expect("DATABASE_URL is set");
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        actix_web::rt::spawn(connection);
        let (find, save) = (client.prepare(FIND).await?, client.prepare(SAVE).await?);
        Ok(Self { client, find, save })
    }
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::var("PORT").expect("PORT is set").parse().expect("PORT is a number");
    HttpServer::new(|| App::new().data_factory(Database::connect).service(get_hello).service(put_hello))
        .bind(("127.0.0.1", port))?
        .run()
        .await
}

#[get("/hello/{username}")]
async fn get_hello(username: Path<String>, database: Data<Database>) -> HttpResponse {
    if let Err(problem) = check(&username) {
        return refuse(StatusCode::BAD_REQUEST, problem);
    }
    match database.client.query_opt(&database.find, &[&*username]).await {
        Ok(Some(row)) => HttpResponse::Ok().json(Greeting::new(&username, row.get(0))),
        Ok(None) => refuse(StatusCode::NOT_FOUND, Problem::UNKNOWN),
        Err(error) => unavailable(error),
    }
}

#[put("/hello/{username}")]
async fn put_hello(username: Path<String>, body: Json<NewBirthday>, database: Data<Database>) -> HttpResponse {
    let born = match check(&username).and_then(|()| body.date()) {
        Ok(born) => born,
        Err(problem) => return refuse(StatusCode::BAD_REQUEST, problem),
    };
    match database.client.execute(&database.save, &[&*username, &born]).await {
        Ok(_) => HttpResponse::NoContent().finish(),
        Err(error) => unavailable(error),
    }
}

fn refuse(status: StatusCode, problem: Problem) -> HttpResponse {
    HttpResponse::build(status).json(problem)
}

fn unavailable(error: tokio_postgres::Error) -> HttpResponse {
    eprintln!("{error}");
    refuse(StatusCode::SERVICE_UNAVAILABLE, Problem::UNAVAILABLE)
}
