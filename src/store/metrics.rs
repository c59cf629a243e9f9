//! What the store counts about itself.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::outage::Fault;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ServerLabel {
    server: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FaultLabels {
    server: &'static str,
    kind: &'static str,
}

/// Cheap to clone: all clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Figures>);

struct Figures {
    lookups: Histogram,
    writes: Histogram,
    retries: Counter,
    turned_away: Counter,
    replica_answers: Counter,
    credential_reloads: Counter,
    faults: Family<FaultLabels, Counter>,
    connections: Family<ServerLabel, Gauge>,
    away: Family<ServerLabel, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let batch_sizes = || Histogram::new(exponential_buckets(1.0, 2.0, 9));
        Self(Arc::new(Figures {
            lookups: batch_sizes(),
            writes: batch_sizes(),
            retries: Counter::default(),
            turned_away: Counter::default(),
            replica_answers: Counter::default(),
            credential_reloads: Counter::default(),
            faults: Family::default(),
            connections: Family::default(),
            away: Family::default(),
        }))
    }
}

impl Metrics {
    pub fn register(&self, registry: &mut Registry) {
        let store = registry.sub_registry_with_prefix("store");
        let figures = &self.0;
        store.register("lookup_batch_size", "Lookups answered by one statement", figures.lookups.clone());
        store.register("write_batch_size", "Saves and removals taken at once", figures.writes.clone());
        store.register("retries", "Statements tried once more on a fresh connection", figures.retries.clone());
        store.register("turned_away", "Requests refused because too many were waiting", figures.turned_away.clone());
        store.register("replica_answers", "Lookups answered by the replica", figures.replica_answers.clone());
        store.register("credential_reloads", "Changed credentials taken over", figures.credential_reloads.clone());
        store.register("faults", "Batches that failed, by server and kind of fault", figures.faults.clone());
        store.register("connections", "Open database connections", figures.connections.clone());
        store.register("away", "1 while no connection to the server can be made", figures.away.clone());
    }

    pub fn looked_up(&self, batch: usize) {
        self.0.lookups.observe(batch as f64);
    }

    pub fn wrote(&self, batch: usize) {
        self.0.writes.observe(batch as f64);
    }

    pub fn retried(&self) {
        self.0.retries.inc();
    }

    pub fn turned_away(&self) {
        self.0.turned_away.inc();
    }

    pub fn answered_by_replica(&self, lookups: usize) {
        self.0.replica_answers.inc_by(lookups as u64);
    }

    pub fn credentials_reloaded(&self) {
        self.0.credential_reloads.inc();
    }

    pub fn failed(&self, server: &'static str, fault: &Fault) {
        self.0.faults.get_or_create(&FaultLabels { server, kind: fault.kind() }).inc();
    }

    pub fn connected(&self, server: &'static str) {
        self.0.connections.get_or_create(&ServerLabel { server }).inc();
    }

    pub fn disconnected(&self, server: &'static str) {
        self.0.connections.get_or_create(&ServerLabel { server }).dec();
    }

    pub fn away(&self, server: &'static str, away: bool) {
        self.0.away.get_or_create(&ServerLabel { server }).set(i64::from(away));
    }
}
