//! `/metrics`, the counting of requests, trace and request ids, and the access log. None of them holds a name, a date or a body.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use rocket::fairing::{AdHoc, Fairing, Kind};
use rocket::http::{ContentType, Header};
use rocket::{Data, Request, Response, Route, State};
use rocket_db_pools::Database;

use super::guards::started;
use super::methods::RESOURCES;
use super::problem::Problem;
use crate::clock::Clock;
use crate::config::Settings;
use crate::lifecycle::Draining;
use crate::store::Birthdays;

/// Upper bounds of the latency buckets in seconds.
const BUCKETS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: &'static str,
    status: u16,
}

/// The trace of one request that took so long, for whoever looks at the histogram.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Exemplar {
    trace_id: String,
}

type Durations = Family<RequestLabels, HistogramWithExemplars<Exemplar>, Buckets>;

#[derive(Clone)]
struct Buckets;

impl MetricConstructor<HistogramWithExemplars<Exemplar>> for Buckets {
    fn new_metric(&self) -> HistogramWithExemplars<Exemplar> {
        HistogramWithExemplars::new(BUCKETS.into_iter())
    }
}

/// What is counted.
struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// OpenMetrics text (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).
    fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(8192);
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

pub fn routes() -> Vec<Route> {
    routes![metrics]
}

/// What is counted, as OpenMetrics text
#[utoipa::path(tag = "Operation", responses(
    (status = 200, description = "Metrics", body = String, content_type = "application/openmetrics-text"),
))]
#[get("/metrics")]
fn metrics(metrics: &State<Metrics>) -> Result<(ContentType, String), Problem> {
    let kind = ContentType::new("application", "openmetrics-text").with_params([("version", "1.0.0"), ("charset", "utf-8")]);
    metrics.encode().map(|text| (kind, text)).map_err(|_| Problem::Internal)
}

/// Counts requests, echoes trace and request ids, and writes the access log where it is wanted.
pub fn stage() -> AdHoc {
    AdHoc::on_ignite("metrics", |rocket| async {
        let settings: &Settings = rocket.state().expect("lib.rs manages it before the start");
        let now = rocket.state::<Clock>().expect("lib.rs manages it before the start").now();
        let durations = Durations::new_with_constructor(Buckets);
        let start = Gauge::<i64>::default();
        start.set(now.timestamp());
        let mut registry = Registry::with_prefix("birthday");
        registry.register_with_unit(
            "http_request_duration",
            "Time from reading a request's head to its answer, by method, route template and status",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register_with_unit("start_time", "When this process started, Unix time", Unit::Seconds, start);
        let draining: &Draining = rocket.state().expect("lifecycle's stage manages it");
        registry.register("draining", "1 between SIGTERM and the end", draining.0.clone());
        registry.register("build", "Version of this binary", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        if let Some(birthdays) = Birthdays::fetch(&rocket) {
            birthdays.metrics.register(&mut registry);
        }
        let requests = Requests { durations, access_log: settings.telemetry.access_log };
        rocket.attach(requests).manage(Metrics { registry })
    })
}

struct Requests {
    durations: Durations,
    access_log: bool,
}

#[rocket::async_trait]
impl Fairing for Requests {
    fn info(&self) -> rocket::fairing::Info {
        rocket::fairing::Info { name: "requests", kind: Kind::Request | Kind::Response }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        started(request);
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let took = started(request).elapsed();
        let route = template(request);
        let labels = RequestLabels { method: request.method().as_str(), route, status: response.status().code };
        let trace = request.headers().get_one("traceparent").filter(|value| is_traceparent(value));
        let id = request.headers().get_one("x-request-id").filter(|value| is_request_id(value));
        // Only a trace that is sampled can be looked up.
        let trace_id = trace.and_then(|trace| trace.split('-').nth(1));
        let exemplar = trace_id.filter(|_| trace.is_some_and(|trace| trace.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f'])));
        let exemplar = exemplar.map(|trace_id| Exemplar { trace_id: trace_id.to_owned() });
        self.durations.get_or_create(&labels).observe(took.as_secs_f64(), exemplar, None);
        if let Some(trace) = trace {
            response.set_header(Header::new("traceparent", trace.to_owned()));
        }
        if let Some(id) = id {
            response.set_header(Header::new("x-request-id", id.to_owned()));
        }
        if self.access_log {
            tracing::info!(
                method = labels.method,
                route = labels.route,
                status = labels.status,
                duration_ms = took.as_secs_f64() * 1000.0,
                trace_id,
                request_id = id,
                "request",
            );
        }
    }
}

/// The route's path with its parameters' names; everything that no route takes counts as one.
fn template(request: &Request<'_>) -> &'static str {
    let path = request.route().map_or("", |route| route.uri.path());
    RESOURCES.iter().map(|(template, _)| *template).find(|template| *template == path).unwrap_or("unmatched")
}

/// Version 00 of <https://www.w3.org/TR/trace-context/>: `00-<32 hex>-<16 hex>-<2 hex>`.
fn is_traceparent(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    matches!(parts[..], ["00", trace, span, flags] if (trace.len(), span.len(), flags.len()) == (32, 16, 2))
        && parts.iter().all(|part| hex(part))
}

/// Whatever a proxy chose, as long as it cannot disturb a log line.
fn is_request_id(value: &str) -> bool {
    (1..=128).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
