//! `/metrics`, request metrics, trace and request ids, and the access log. None of them contains a name, a date or a body.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use rocket::fairing::AdHoc;
use rocket::http::{Accept, ContentType, Header};
use rocket::{Build, Request, Response, Rocket, State};
use rocket_db_pools::Database;

use super::call::Received;
use super::problem::Problem;
use crate::clock::Clock;
use crate::config::Settings;
use crate::logging;
use crate::store::Birthdays;

/// Upper bounds of the latency buckets in seconds.
const BUCKETS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: &'static str,
    status: u16,
}

/// Each bucket has the trace id of one of its requests as an exemplar.
type Durations = HistogramWithExemplars<[(&'static str, String); 1]>;

pub struct Metrics {
    registry: Registry,
    durations: Family<RequestLabels, Durations, fn() -> Durations>,
    pub connections: Connections,
    /// 1 while the service drains before it stops, otherwise 0.
    pub draining: Gauge,
    lost_lines: Counter,
    /// Path templates, as labels.
    routes: Vec<&'static str>,
    access_log: bool,
}

/// Open client connections, and how many the service closed.
#[derive(Clone, Default)]
pub struct Connections {
    pub open: Gauge,
    /// Closed because no request came in time.
    pub silent: Counter,
    /// Closed to make room for others.
    pub crowded: Counter,
}

/// Metrics, as OpenMetrics if `Accept` prefers it, otherwise in Prometheus' text format
#[utoipa::path(tag = "Operation", responses(
    (status = 200, description = "Metrics", content((String = "application/openmetrics-text"), (String = "text/plain"))),
))]
#[get("/metrics")]
pub fn metrics(metrics: &State<Metrics>, accept: Option<&Accept>) -> Result<(ContentType, String), Problem> {
    metrics.lost_lines.inner().store(logging::lost(), Ordering::Relaxed);
    let mut open = String::with_capacity(8192);
    text::encode(&mut open, &metrics.registry).map_err(|_| Problem::Internal)?;
    let weight = |top, sub| {
        let fits = accept.into_iter().flat_map(|accept| accept.iter()).filter(|kind| kind.top() == top && kind.sub() == sub);
        // `weight()` is None if another parameter comes before `q`, as in the requests of Prometheus.
        fits.filter_map(|kind| kind.param("q").map_or(Some(1.0), |q| q.parse().ok())).fold(0.0, f32::max)
    };
    let wanted = weight("application", "openmetrics-text");
    if wanted > 0.0 && wanted >= weight("text", "plain") {
        let kind = ContentType::new("application", "openmetrics-text");
        return Ok((kind.with_params([("version", "1.0.0"), ("charset", "utf-8")]), open));
    }
    Ok((ContentType::new("text", "plain").with_params([("version", "0.0.4"), ("charset", "utf-8")]), classic(&open)))
}

/// Converts OpenMetrics (<https://prometheus.io/docs/specs/om/open_metrics_spec/>) to the older text format
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/>): families are named like their samples, and there are no
/// units, exemplars or end marker.
fn classic(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut help = "";
    for line in open.lines() {
        let mut parts = line.splitn(4, ' ');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("#"), Some("HELP"), _, Some(words)) => help = words,
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                let (name, kind) = match kind {
                    "counter" => (format!("{name}_total"), "counter"),
                    "info" => (format!("{name}_info"), "gauge"),
                    kind => (name.to_owned(), kind),
                };
                text += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
            }
            (Some("#"), ..) => {}
            _ => text += &format!("{}\n", line.split(" # ").next().unwrap_or(line)),
        }
    }
    text
}

/// Counts requests, echoes trace and request ids, and writes the access log if it is enabled.
pub fn stage() -> AdHoc {
    AdHoc::on_response("metrics", |request, response| {
        let metrics: &Metrics = request.rocket().state().expect("http manages it");
        metrics.count(request, response);
        Box::pin(async {})
    })
}

impl Metrics {
    pub fn of(rocket: &Rocket<Build>) -> Self {
        let settings: &Settings = rocket.state().expect("lib.rs manages it before the start");
        let clock: &Clock = rocket.state().expect("lib.rs manages it before the start");
        let durations = Family::new_with_constructor((|| Durations::new(BUCKETS.into_iter())) as fn() -> Durations);
        let connections = Connections::default();
        let draining = Gauge::default();
        let lost_lines = Counter::default();
        let start = ConstGauge::new(clock.now().timestamp());
        let mut registry = Registry::with_prefix("birthday");
        registry.register_with_unit(
            "http_request_duration",
            "Time from reading a request's head to its answer, by method, route template and status",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register_with_unit("start_time", "Start time of this process, Unix time", Unit::Seconds, start);
        registry.register("draining", "1 from SIGTERM until the process exits", draining.clone());
        registry.register("build", "Version of this binary", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register("http_connections", "Open client connections", connections.open.clone());
        let silent = "Connections closed because no request came in time";
        registry.register("http_connections_silent", silent, connections.silent.clone());
        let crowded = "Idle connections closed to make room for others";
        registry.register("http_connections_crowded", crowded, connections.crowded.clone());
        let lost = "Log lines dropped because their reader was too slow";
        registry.register("log_lines_lost", lost, lost_lines.clone());
        if let Some(birthdays) = Birthdays::fetch(rocket) {
            birthdays.metrics.register(&mut registry);
        }
        // Leaked, because labels live as long as the process.
        let routes: BTreeSet<&str> = rocket.routes().map(|route| route.uri.path()).collect();
        let routes = routes.into_iter().map(|path| &*path.to_owned().leak()).collect();
        Self { registry, durations, connections, draining, lost_lines, routes, access_log: settings.telemetry.access_log }
    }

    pub fn is_draining(&self) -> bool {
        self.draining.get() == 1
    }

    fn count(&self, request: &Request<'_>, response: &mut Response<'_>) {
        let received = Received::of(request);
        let took = received.started.elapsed();
        // The route's path template; all requests that match no route count as one.
        let path = request.route().map_or("", |route| route.uri.path());
        let route = self.routes.iter().find(|route| **route == path).unwrap_or(&"unmatched");
        let labels = RequestLabels { method: received.method, route, status: response.status().code };
        let trace = request.headers().get_one("traceparent").filter(|value| is_traceparent(value));
        let id = request.headers().get_one("x-request-id").filter(|value| is_request_id(value));
        let trace_id = trace.and_then(|trace| trace.split('-').nth(1));
        // Only a sampled trace can be looked up.
        let sampled = trace.is_some_and(|trace| trace.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']));
        let exemplar = trace_id.filter(|_| sampled).map(|trace_id| [("trace_id", trace_id.to_owned())]);
        self.durations.get_or_create(&labels).observe(took.as_secs_f64(), exemplar, None);
        if self.access_log {
            tracing::info!(
                method = labels.method,
                route,
                status = labels.status,
                duration_ms = took.as_secs_f64() * 1000.0,
                trace_id,
                request_id = id,
                "request",
            );
        }
        for (name, value) in [("traceparent", trace), ("x-request-id", id)] {
            if let Some(value) = value {
                response.set_header(Header::new(name, value.to_owned()));
            }
        }
    }
}

/// Version 00 of <https://www.w3.org/TR/trace-context/>: `00-<32 hex>-<16 hex>-<2 hex>`. Ids of zeros only are invalid.
fn is_traceparent(value: &str) -> bool {
    let hex = |part: &str, length| part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let id = |part: &str, length| hex(part, length) && part.bytes().any(|byte| byte != b'0');
    let parts: Vec<&str> = value.split('-').collect();
    matches!(parts[..], ["00", trace, span, flags] if id(trace, 32) && id(span, 16) && hex(flags, 2))
}

/// A proxy chooses the id; it must not break a log line.
fn is_request_id(value: &str) -> bool {
    (1..=128).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
