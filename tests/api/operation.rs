//! What the platform uses: probes, metrics, ids.

use std::time::Duration;

use birthday_api::clock::Clock;
use birthday_api::config::Settings;
use birthday_api::lifecycle;
use chrono::DateTime;
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::support::{Database, Store, TestApp, figment, on_both_stores};

on_both_stores![
    metrics_count_requests_by_route_and_status_and_hold_no_names, without_openmetrics_in_accept_metrics_are_classic_text,
];

/// The `Accept` header of Prometheus 3.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

async fn without_openmetrics_in_accept_metrics_are_classic_text(app: TestApp) {
    app.get_with("/livez", ("traceparent", &format!("00-{}-b7ad6b7169203331-01", "a".repeat(32)))).await;
    for accept in [
        "", "*/*", "text/plain", "text/plain, application/openmetrics-text;version=1.0.0;q=0.1",
        "application/openmetrics-text;version=1.0.0;q=0",
    ] {
        let answer = app.get_with("/metrics", ("Accept", accept)).await;
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"), "{accept}");
        let text = answer.body;
        for line in [
            "# TYPE birthday_build_info gauge", "# TYPE birthday_store_retries_total counter",
            "# TYPE birthday_http_request_duration_seconds histogram", "birthday_log_lines_lost_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(!["# EOF", "# UNIT", "trace_id"].iter().any(|mark| text.contains(mark)), "{text}");
    }
}

async fn metrics_count_requests_by_route_and_status_and_hold_no_names(app: TestApp) {
    app.save("Zebedee", "1987-05-17").await;
    app.message("Zebedee").await;
    app.message("Zebedee").await;
    app.get("/hello/Zebulon").await.expect_problem(404, "unknown-username");
    app.get("/Zebedee").await.expect_problem(404, "not-found");
    assert_eq!(app.call("HEAD", "/hello/Zebedee", &[], "").await.status, 200);
    app.call("delete", "/hello/Zebedee", &[], "").await.expect_problem(400, "bad-request");

    let metrics = app.get_with("/metrics", ("Accept", PROMETHEUS)).await;
    assert_eq!(metrics.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let text = metrics.body;
    let count = |method: &str, route: &str, status: u16| {
        let labels = format!("{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}");
        text.lines()
            .find_map(|line| line.strip_prefix(&format!("birthday_http_request_duration_seconds_count{labels} ")))
            .map(|count| count.parse::<u32>().unwrap())
    };
    assert_eq!(count("GET", "/hello/<username>", 200), Some(2), "{text}");
    assert_eq!(count("GET", "/hello/<username>", 404), Some(1), "{text}");
    assert_eq!(count("PUT", "/hello/<username>", 204), Some(1), "{text}");
    assert_eq!(count("GET", "unmatched", 404), Some(1), "{text}");
    assert_eq!(count("HEAD", "/hello/<username>", 200), Some(1), "{text}");
    assert_eq!(count("other", "unmatched", 400), Some(1), "the case of a method counts: {text}");
    for figure in [
        "birthday_start_time_seconds 1795435200", "birthday_build_info{version=", "birthday_draining 0",
        "birthday_store_connections{server=\"primary\"} ", "birthday_store_away{server=\"primary\"} 0",
        "birthday_store_faults_total{server=\"primary\",kind=\"login\"} 0", "birthday_store_lookup_batch_size_count 4",
        "birthday_store_write_batch_size_count 1",
    ] {
        assert!(text.lines().any(|line| line.starts_with(figure)), "{figure} in {text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
    // With the dash, because a duration may contain the digits of the year.
    assert!(!text.contains("Zeb") && !text.contains("1987-"), "{text}");
}

/// Every connection to an SQLite file is checked once a second.
#[tokio::test]
async fn without_requests_next_to_nothing_is_done() {
    let database = Database::new(Store::Sqlite);
    let (figment, settings) = Settings::load(&figment(&database.url())).unwrap();
    let rocket = birthday_api::rocket(figment, settings, Clock::new(|| DateTime::UNIX_EPOCH));
    let busy = || Handle::current().metrics().worker_total_busy_duration(0);
    let measured = async {
        sleep(Duration::from_secs(1)).await;
        let before = busy();
        sleep(Duration::from_secs(4)).await;
        let busy = busy() - before;
        assert!(busy < Duration::from_secs(1), "busy for {busy:?} of 4 s");
    };
    lifecycle::serve(rocket, measured).await.unwrap();
}

#[tokio::test]
async fn the_latency_of_a_sampled_request_names_its_trace() {
    let app = TestApp::start(Store::Sqlite);
    let get = async |trace: &str| {
        let trace = format!("00-{trace}-b7ad6b7169203331-{}", if trace.starts_with('a') { "01" } else { "00" });
        assert_eq!(app.get_with("/livez", ("traceparent", &trace)).await.status, 200);
    };
    get(&"a".repeat(32)).await;
    let metrics = async || app.get_with("/metrics", ("Accept", PROMETHEUS)).await.body;
    let exemplars = metrics().await.matches(&format!("# {{trace_id=\"{}\"}}", "a".repeat(32))).count();
    assert_eq!(exemplars, 1);
    get(&"b".repeat(32)).await;
    assert!(!metrics().await.contains("bbbb"), "it was not sampled");
}

#[tokio::test]
async fn request_and_trace_ids_come_back_if_they_are_what_they_should_be() {
    let app = TestApp::start(Store::Sqlite);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let send =
        async |name: &'static str, value: &str| app.get_with("/livez", (name, value)).await.header(name).map(str::to_owned);
    assert_eq!(send("traceparent", trace).await.as_deref(), Some(trace));
    assert_eq!(send("x-request-id", "a-1_b.2").await.as_deref(), Some("a-1_b.2"));
    for value in [
        "", "01", "00-XYZ-b7ad6b7169203331-01", "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    ] {
        assert_eq!(send("traceparent", value).await, None, "{value}");
    }
    for value in ["", "a b", "a\tb", "a=b", &"x".repeat(129)] {
        assert_eq!(send("x-request-id", value).await, None, "{value}");
    }
}
