//! Answers 405 with `Allow` where a resource does not support a method; Rocket alone would answer 404.

use std::collections::BTreeMap;

use rocket::http::Method;
use rocket::route::{Handler, Outcome};
use rocket::{Build, Data, Request, Rocket, Route};

use super::problem::Problem;

use Method::{Connect, Delete, Get, Head, Options, Patch, Post, Put, Trace};

#[derive(Clone)]
struct NotAllowed(String);

#[rocket::async_trait]
impl Handler for NotAllowed {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        Outcome::from(request, Problem::MethodNotAllowed(self.0.clone().into()))
    }
}

/// Lowest-priority routes for every method that a mounted path does not support.
pub fn not_allowed(rocket: &Rocket<Build>) -> Vec<Route> {
    let mut taken: BTreeMap<&str, Vec<Method>> = BTreeMap::new();
    for route in rocket.routes() {
        let methods = taken.entry(route.uri.path()).or_default();
        methods.push(route.method);
        // Rocket answers HEAD wherever there is a GET.
        if route.method == Get {
            methods.push(Head);
        }
    }
    let refused = taken.into_iter().flat_map(|(path, taken)| {
        let allow = taken.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
        let all = [Get, Put, Post, Delete, Options, Head, Trace, Connect, Patch].into_iter();
        let others = all.filter(move |method| !taken.contains(method));
        others.map(move |method| Route::ranked(100, method, path, NotAllowed(allow.clone())))
    });
    refused.collect()
}
