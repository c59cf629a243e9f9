//! Methods: 405 with `Allow` where a resource does not take one, and no form may pretend to be another method.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::form::Form;
use rocket::http::Method;
use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Route};

use super::problem::Problem;

/// Every path with the methods that it takes (RFC 9110, 10.2.1). `HEAD` is Rocket's answer wherever there is a `GET`.
pub const RESOURCES: [(&str, &str); 10] = [
    ("/hello/<username>", "GET, HEAD, PUT, DELETE"),
    ("/hello/<username>/birthday.ics", "GET, HEAD"),
    ("/", "GET, HEAD"),
    ("/save", "POST"),
    ("/docs", "GET, HEAD"),
    ("/docs/<file>", "GET, HEAD"),
    ("/openapi.json", "GET, HEAD"),
    ("/livez", "GET, HEAD"),
    ("/readyz", "GET, HEAD"),
    ("/metrics", "GET, HEAD"),
];

const METHODS: [Method; 9] = [
    Method::Get,
    Method::Put,
    Method::Post,
    Method::Delete,
    Method::Options,
    Method::Head,
    Method::Trace,
    Method::Connect,
    Method::Patch,
];

#[derive(Clone)]
struct NotAllowed {
    allow: &'static str,
}

#[rocket::async_trait]
impl Handler for NotAllowed {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        Outcome::from(request, Problem::MethodNotAllowed { allow: self.allow, form: has_form(request) })
    }
}

/// Routes of the last rank for every method that a resource does not take; Rocket by itself would say 404.
pub fn not_allowed() -> Vec<Route> {
    let refused = |(path, allow): (&'static str, &'static str)| {
        let taken: Vec<&str> = allow.split(", ").collect();
        METHODS
            .into_iter()
            .filter(move |method| !taken.contains(&method.as_str()))
            .map(move |method| Route::ranked(100, method, path, NotAllowed { allow }))
    };
    RESOURCES.into_iter().flat_map(refused).collect()
}

/// Rocket turns a POST whose form begins with `_method=delete` into a DELETE, which any web page could make a browser send.
/// Here it is the POST again that it was. A PUT or DELETE that comes with another form is taken by no resource.
pub struct NoOverride;

#[rocket::async_trait]
impl Fairing for NoOverride {
    fn info(&self) -> Info {
        Info { name: "no method override", kind: Kind::Request }
    }

    async fn on_request(&self, request: &mut Request<'_>, data: &mut Data<'_>) {
        if request.method() == Method::Post || !has_form(request) {
            return;
        }
        // Rocket looks at as many bytes, in the same way.
        let beginning = std::str::from_utf8(data.peek("_method=delete".len()).await).unwrap_or_default();
        if Form::values(beginning).next().is_some_and(|field| field.name == "_method") {
            request.set_method(Method::Post);
        } else if matches!(request.method(), Method::Put | Method::Delete) {
            request.set_method(NOBODY_TAKES);
        }
    }
}

/// A method that stands at none of the [`RESOURCES`].
const NOBODY_TAKES: Method = Method::Patch;

fn has_form(request: &Request<'_>) -> bool {
    request.content_type().is_some_and(|kind| kind.is_form())
}
