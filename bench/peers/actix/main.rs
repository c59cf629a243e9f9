//! actix-web and tokio-postgres: each worker thread has its own connection, made by `data_factory`, and shares nothing.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Path};
use actix_web::{App, HttpResponse, HttpServer, get, put};
use chrono::{Datelike, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::json;
use tokio_postgres::{Client, NoTls, Statement};

const FIND: &str = "select date_of_birth from birthdays where username = $1";
const SAVE: &str = "insert into birthdays (username, date_of_birth) values ($1, $2) \
                    on conflict (username) do update set date_of_birth = excluded.date_of_birth";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewBirthday {
    date_of_birth: String,
}

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
    if !is_username(&username) {
        return refuse(StatusCode::BAD_REQUEST, "the username must be 1 to 64 ASCII letters");
    }
    match database.client.query_opt(&database.find, &[&*username]).await {
        Ok(Some(row)) => HttpResponse::Ok().json(json!({ "message": message(&username, row.get(0)) })),
        Ok(None) => refuse(StatusCode::NOT_FOUND, "no birthday is saved under that name"),
        Err(error) => unavailable(error),
    }
}

#[put("/hello/{username}")]
async fn put_hello(username: Path<String>, body: Json<NewBirthday>, database: Data<Database>) -> HttpResponse {
    let Some(born) = date(&body.date_of_birth).filter(|_| is_username(&username)) else {
        return refuse(StatusCode::BAD_REQUEST, "a username of ASCII letters and a date before today, YYYY-MM-DD");
    };
    match database.client.execute(&database.save, &[&*username, &born]).await {
        Ok(_) => HttpResponse::NoContent().finish(),
        Err(error) => unavailable(error),
    }
}

fn refuse(status: StatusCode, detail: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({ "detail": detail }))
}

fn unavailable(error: tokio_postgres::Error) -> HttpResponse {
    eprintln!("{error}");
    refuse(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer")
}

fn is_username(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// Exactly YYYY-MM-DD, before today; chrono alone accepts signs and single digits.
fn date(text: &str) -> Option<NaiveDate> {
    let form =
        text.bytes().enumerate().all(|(place, byte)| if matches!(place, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
    let date: NaiveDate = text.parse().ok()?;
    (form && text.len() == 10 && date.year() >= 1 && date < today()).then_some(date)
}

fn message(username: &str, born: NaiveDate) -> String {
    let today = today();
    let birthday = birthday_in(today.year(), born);
    let birthday = if birthday < today { birthday_in(today.year() + 1, born) } else { birthday };
    match (birthday - today).num_days() {
        0 => format!("Hello, {username}! Happy birthday!"),
        days => format!("Hello, {username}! Your birthday is in {days} day(s)"),
    }
}

/// 1 March stands in for a 29 February that the year lacks.
fn birthday_in(year: i32, born: NaiveDate) -> NaiveDate {
    born.with_year(year).or_else(|| NaiveDate::from_ymd_opt(year, 3, 1)).expect("a 1 March is in every year")
}
