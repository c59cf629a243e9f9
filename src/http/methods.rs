//! Methods: 405 with `Allow` where a resource does not take one, and no form may pretend to be another method.

use std::collections::BTreeMap;

use rocket::fairing::AdHoc;
use rocket::http::Method;
use rocket::route::{Handler, Outcome};
use rocket::{Build, Data, Request, Rocket, Route};

use super::guards::received;
use super::problem::Problem;

use Method::{Connect, Delete, Get, Head, Options, Patch, Post, Put, Trace};

#[derive(Clone)]
struct NotAllowed {
    allow: String,
}

#[rocket::async_trait]
impl Handler for NotAllowed {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        Outcome::from(request, Problem::MethodNotAllowed { allow: self.allow.clone() })
    }
}

/// Routes of the last rank for every method that a mounted path does not take; Rocket by itself would say 404.
pub fn not_allowed(rocket: &Rocket<Build>) -> Vec<Route> {
    let mut taken: BTreeMap<&str, Vec<Method>> = BTreeMap::new();
    for route in rocket.routes() {
        let methods = taken.entry(route.uri.path()).or_default();
        methods.push(route.method);
        // Rocket answers it wherever there is a GET.
        if route.method == Get {
            methods.push(Head);
        }
    }
    let refused = taken.into_iter().flat_map(|(path, taken)| {
        let allow = taken.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
        let others = [Get, Put, Post, Delete, Options, Head, Trace, Connect, Patch].into_iter();
        let others: Vec<Method> = others.filter(|method| !taken.contains(method)).collect();
        others.into_iter().map(move |method| Route::ranked(100, method, path, NotAllowed { allow: allow.clone() }))
    });
    refused.collect()
}

/// Rocket turns a POST whose form begins with `_method=delete` into a DELETE, which any web page could make a browser send. Here it
/// stays what it was sent as.
pub fn no_override() -> AdHoc {
    AdHoc::on_request("no method override", |request, _| {
        Box::pin(async {
            let sent = received(request).method;
            if request.method() != sent {
                request.set_method(sent);
            }
        })
    })
}
