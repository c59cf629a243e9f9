//! The API documentation: the OpenAPI document, generated from the handlers, and a page that shows it.

use minijinja::context;
use minijinja::value::Serde;
use rocket::State;
use utoipa::openapi::path::{Parameter, ParameterBuilder};
use utoipa::openapi::{Content, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, Schema, Type};
use utoipa::{OpenApi, openapi};

use super::answer::Answer;
use super::call::{Call, LARGEST_BODY};
use super::page::{Assets, render};
use super::problem::{Document, Problem};
use super::{greeting, metrics, page, probes};
use crate::birthday::Username;
use crate::config::Settings;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Birthday API",
        description = "Stores a date of birth per username and says how many days remain until the birthday. There are no accounts: \
                       anyone who can reach the service can read, replace or delete any birthday."
    ),
    paths(
        greeting::greet, greeting::save, greeting::delete, greeting::subscribe, page::home::home, page::home::save, probes::livez,
        probes::readyz, metrics::metrics, document, docs
    ),
    components(schemas(Document)),
    tags(
        (name = "Birthdays", description = "One date of birth per username."),
        (name = "Web page", description = "For people with a browser; programs use the paths above."),
        (name = "Operation", description = "For load balancers, Kubernetes and Prometheus."),
        (name = "Documentation", description = "This API, for people and for programs."),
    ),
    servers((url = "/"))
)]
struct Description;

/// The document, completed with what operations have in common: parameters by name, problems by status.
fn description() -> openapi::OpenApi {
    let mut api = Description::openapi();
    for item in api.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten() {
            operation.parameters.iter_mut().flatten().for_each(describe);
            operation.responses.responses.iter_mut().for_each(complete);
        }
    }
    api
}

fn describe(parameter: &mut RefOr<Parameter>) {
    let RefOr::T(parameter) = parameter else { return };
    let text = ObjectBuilder::new().schema_type(Type::String);
    let (description, example, schema) = match parameter.name.as_str() {
        "username" => {
            let letters = text.min_length(Some(1)).max_length(Some(Username::MAX)).pattern(Some("^[A-Za-z]{1,64}$"));
            ("1 to 64 ASCII letters, case-sensitive", "John", letters)
        }
        "tz" => {
            let zone = "IANA time zone that decides which date is today, instead of the service's own; at most once, with `+` written as `%2B`";
            (zone, "Europe/Amsterdam", text)
        }
        "If-Match" => ("`*`: only if a birthday is saved, otherwise 412. Birthdays have no tags: any tag gives 412", "*", text),
        "If-None-Match" => ("`*`: only if no birthday is saved, otherwise 412", "*", text),
        _ => return,
    };
    let described = ParameterBuilder::from(parameter.clone()).description(Some(description)).example(Some(example.into()));
    *parameter = described.schema(Some(Schema::Object(schema.build()))).build();
}

fn complete((status, answer): (&String, &mut RefOr<Response>)) {
    let RefOr::T(answer) = answer else { return };
    if answer.description.is_empty() {
        answer.description = match status.as_str() {
            "304" => "Not changed: `If-None-Match` has the current tag".to_owned(),
            "400" => "The username, time zone or body is invalid".to_owned(),
            "403" => "Sent by a page at another address".to_owned(),
            "404" => "No birthday is saved under that name".to_owned(),
            "408" => "The body did not arrive in time".to_owned(),
            "412" => "The precondition does not hold; nothing was changed".to_owned(),
            "413" => format!("The body is larger than {LARGEST_BODY} bytes"),
            "415" => "The content type is not the documented one, or the body has a content encoding".to_owned(),
            _ => "The database cannot be reached, is overloaded or too slow".to_owned(),
        };
    }
    if (status.starts_with('4') || status == "503") && answer.content.is_empty() {
        let problem = Content::new(Some(Ref::from_schema_name("Problem")));
        answer.content.insert("application/problem+json".to_owned(), RefOr::T(problem));
    }
    if status == "503" {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer);
        let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait before trying again")).build();
        answer.headers.insert("Retry-After".to_owned(), RefOr::T(header));
    }
}

/// The OpenAPI 3.1 document as JSON.
pub fn openapi() -> String {
    description().to_pretty_json().expect("the document is made of strings and numbers") + "\n"
}

/// The page `/docs`. Its curl examples use the public URL, or else localhost and the port of the settings.
pub fn page(settings: &Settings) -> String {
    let site = settings.public_url.clone().unwrap_or_else(|| format!("http://localhost:{}", settings.rocket.port));
    let pretty =
        |document: &Document| serde_json::to_string_pretty(document).expect("the document is made of strings and numbers");
    let problems: Vec<_> = Problem::examples().map(Problem::document).map(|document| (pretty(&document), document)).collect();
    render("docs.html", context! { site, api => Serde(description()), problems => Serde(problems) })
}

/// This document
#[utoipa::path(tag = "Documentation", responses(
    (status = 200, description = "OpenAPI 3.1", content_type = "application/json"),
    (status = 304),
))]
#[get("/openapi.json")]
pub fn document(call: Call<'_>, assets: &State<Assets>) -> Result<Answer, Problem> {
    assets.named("/openapi.json", &call)
}

/// This page
#[utoipa::path(tag = "Documentation", responses(
    (status = 200, description = "The document as a page, with every kind of problem", body = String, content_type = "text/html"),
    (status = 304),
))]
#[get("/docs")]
pub fn docs(call: Call<'_>, assets: &State<Assets>) -> Result<Answer, Problem> {
    assets.named("/docs", &call)
}
