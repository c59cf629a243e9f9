//! Answers 405 with `Allow` where a resource does not support a method; Rocket alone would answer 404.

use std::collections::BTreeMap;

use rocket::http::Method;
use rocket::route::{Handler, Outcome};
use rocket::{Build, Data, Request, Rocket, Route};

use super::problem::Problem;

use Method::{Connect, Delete, Get, Options, Patch, Post, Put, Trace};

#[derive(Clone)]
struct NotAllowed(String);

#[rocket::async_trait]
impl Handler for NotAllowed {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        Outcome::from(request, Problem::MethodNotAllowed(self.0.clone().into()))
    }
}

/// Lowest-priority routes for every method that a mounted path does not support. Rocket answers HEAD as GET without the body.
pub fn not_allowed(rocket: &Rocket<Build>) -> Vec<Route> {
    let mut taken: BTreeMap<&str, Vec<Method>> = BTreeMap::new();
    for route in rocket.routes() {
        taken.entry(route.uri.path()).or_default().push(route.method);
    }
    let refused = taken.into_iter().flat_map(|(path, taken)| {
        let allow = taken.iter().map(|method| if *method == Get { "GET, HEAD" } else { method.as_str() });
        let allow = allow.collect::<Vec<_>>().join(", ");
        let all = [Get, Put, Post, Delete, Options, Trace, Connect, Patch].into_iter();
        let others = all.filter(move |method| !taken.contains(method));
        others.map(move |method| Route::ranked(100, method, path, NotAllowed(allow.clone())))
    });
    refused.collect()
}
