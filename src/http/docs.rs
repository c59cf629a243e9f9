//! The API described: the OpenAPI document, generated from the handlers, and a page that shows it.

use std::sync::LazyLock;

use minijinja::context;
use minijinja::value::{Serde, Value};
use rocket::Route;
use rocket::http::ContentType;
use utoipa::OpenApi;

use super::page::{self, Page, Site};
use super::problem::Problem;
use super::{greeting, metrics, probes};

pub fn routes() -> Vec<Route> {
    routes![document, docs]
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Birthday API",
        description = "Stores a date of birth per username and says how many days remain until the birthday. There are no accounts: \
                       whoever reaches the service can read, replace or delete any name."
    ),
    paths(
        greeting::greet, greeting::save, greeting::forget, greeting::subscribe, page::home::home, page::home::save, probes::livez, probes::readyz, metrics::metrics, document, docs
    ),
    tags(
        (name = "Birthdays", description = "One date of birth under each username."),
        (name = "Web page", description = "For people with a browser; programs use the paths above."),
        (name = "Operation", description = "For load balancers, Kubernetes and Prometheus."),
        (name = "Documentation", description = "This API, for people and for programs."),
    ),
    servers((url = "/"))
)]
struct Description;

/// The OpenAPI 3.1 document as JSON.
pub fn openapi() -> String {
    let mut text = Description::openapi().to_pretty_json().expect("the document is made of strings and numbers");
    text.push('\n');
    text
}

/// This document
#[utoipa::path(tag = "Documentation", responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json")))]
#[get("/openapi.json")]
fn document() -> (ContentType, String) {
    (ContentType::JSON, openapi())
}

/// This page
#[utoipa::path(tag = "Documentation", responses((status = 200, description = "The document as a page, with every kind of problem", body = String, content_type = "text/html")))]
#[get("/docs")]
fn docs(site: Site) -> Page {
    static API: LazyLock<Value> = LazyLock::new(|| Serde(Description::openapi()).into());
    let problems = Problem::examples().map(|problem| {
        let text = serde_json::to_string_pretty(&problem.document()).expect("the document is made of strings and numbers");
        (problem.document(), text)
    });
    Page::html(page::render(
        "docs.html",
        context! { site => site.to_string(), api => API.clone(), problems => Serde(Vec::from(problems)) },
    ))
}
