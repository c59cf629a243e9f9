//! The store's metrics.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::error::{Error, Kind};

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Cheap to clone: all clones share their counters.
#[derive(Clone)]
pub struct Metrics {
    pub lookups: Histogram,
    pub writes: Histogram,
    pub retries: Counter,
    pub rejected: Counter,
    pub replica_answers: Counter,
    pub credential_reloads: Counter,
    faults: Family<Labels<2>, Counter>,
    connections: Family<Labels<1>, Gauge>,
    away: Family<Labels<1>, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let batch_sizes = || Histogram::new(exponential_buckets(1.0, 2.0, 9));
        let (retries, rejected, replica_answers, credential_reloads) = Default::default();
        let (faults, connections, away) = Default::default();
        let (lookups, writes) = (batch_sizes(), batch_sizes());
        Self { lookups, writes, retries, rejected, replica_answers, credential_reloads, faults, connections, away }
    }
}

impl Metrics {
    pub fn register(&self, registry: &mut Registry) {
        let store = registry.sub_registry_with_prefix("store");
        store.register("lookup_batch_size", "Lookups answered by one statement", self.lookups.clone());
        store.register("write_batch_size", "Saves and deletes in one batch", self.writes.clone());
        store.register("retries", "Statements and connection attempts that were retried", self.retries.clone());
        store.register("rejected", "Requests rejected because too many were waiting", self.rejected.clone());
        store.register("replica_answers", "Lookups answered by the replica", self.replica_answers.clone());
        store.register("credential_reloads", "Changed credentials read, per server", self.credential_reloads.clone());
        store.register("faults", "Batches and connections that failed, by server and kind of fault", self.faults.clone());
        store.register("connections", "Open database connections", self.connections.clone());
        store.register("away", "1 while no connection to the server can be made", self.away.clone());
    }

    /// Starts every metric of `server` at 0: if a counter first appears with its first event, `rate` never sees that event.
    pub fn expect(&self, server: &'static str) {
        for kind in Kind::COUNTED_AS {
            self.faults.get_or_create(&[("server", server), ("kind", kind)]).inc_by(0);
        }
        self.connections(server).set(0);
        self.away(server, false);
    }

    pub fn failed(&self, server: &'static str, error: &Error) {
        self.faults.get_or_create(&[("server", server), ("kind", error.kind.rule().counted_as)]).inc();
    }

    pub fn connections(&self, server: &'static str) -> Gauge {
        self.connections.get_or_create(&[("server", server)]).clone()
    }

    pub fn away(&self, server: &'static str, away: bool) {
        self.away.get_or_create(&[("server", server)]).set(i64::from(away));
    }
}
