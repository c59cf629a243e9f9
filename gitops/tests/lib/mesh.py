"""The gateway with the routes that Git describes, as real as it gets without a cluster: istiod 1.31.0 turns the rendered
objects into Envoy's configuration, Envoy takes it over xDS, and two instances of the real service stand behind it.

What differs from production, and why:
- Envoy is the upstream build: filters that only Istio's build has (metrics and ALPN) are taken out by an EnvoyFilter.
- No pod runs: Services are ServiceEntries with loopback endpoints, without a sidecar, so without mTLS.
- Flagger's VirtualService is written here as Flagger writes it; a test on the cluster holds them equal.
"""

import os
import subprocess
from pathlib import Path

import yaml

from common.start import eventually, fetch, free_port

# the gateway's port is the production one, on a loopback address of its own
ADDRESS, PORT = "127.0.42.1", 8080
ISTIO_ONLY = ["istio.alpn", "istio.stats", "istio.metadata_exchange", "envoy.filters.http.grpc_stats"]


def flagger_virtual_service(canary: dict, primary: int = 100) -> dict:
    """What Flagger makes of a Canary."""
    service = canary["spec"]["service"]
    route = [
        {"destination": {"host": "birthday-api-primary"}, "weight": primary},
        {"destination": {"host": "birthday-api-canary"}, "weight": 100 - primary},
    ]
    http = [{"route": route, "timeout": service["timeout"], "retries": service["retries"]}]
    if match := canary["spec"]["analysis"].get("match"):
        http = [{**http[0], "match": match}, {**http[0], "route": route[:1]}]
    metadata = {"name": "birthday-api", "namespace": "birthday-api"}
    return {"apiVersion": "networking.istio.io/v1alpha3", "kind": "VirtualService", "metadata": metadata, "spec": {"http": http}}


def service_entry(host: str, port: int, target: int, endpoints: list[str], target_ports: dict | None = None) -> dict:
    name, namespace = host.split(".")[:2]
    found = [{"address": e, "ports": {"http": (target_ports or {}).get(e, target)}} for e in endpoints]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": f"test-{name}", "namespace": namespace},
        "spec": {
            "hosts": [host],
            "location": "MESH_INTERNAL",
            "resolution": "STATIC",
            "ports": [{"number": port, "name": "http", "protocol": "HTTP", "targetPort": target}],
            "endpoints": found,
        },
    }


def gateway_workload() -> list[dict]:
    """The gateway's pod and Service, by which istiod knows that Gateway `public` is meant."""
    metadata = {"name": "gateway", "namespace": "istio-ingress"}
    workload = {"address": ADDRESS, "labels": {"istio": "ingress"}, "serviceAccount": "istio-ingress"}
    service = service_entry("istio-ingress.istio-ingress.svc.cluster.local", 80, PORT, [])
    del service["spec"]["endpoints"]
    service["spec"]["workloadSelector"] = {"labels": {"istio": "ingress"}}
    return [{"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry", "metadata": metadata, "spec": workload}, service]


def without_istio_only_filters() -> dict:
    match = lambda name: {"context": "GATEWAY", "listener": {"filterChain": {"filter": {  # noqa: E731
        "name": "envoy.filters.network.http_connection_manager", "subFilter": {"name": name}}}}}
    patches = [{"applyTo": "HTTP_FILTER", "match": match(n), "patch": {"operation": "REMOVE"}} for n in ISTIO_ONLY]
    metadata = {"name": "upstream-envoy", "namespace": "istio-system"}
    return {"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": metadata, "spec": {"configPatches": patches}}


def end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Istiod:
    """Reads Istio's objects from files, as it would from the API server, without which it does not start."""

    def __init__(self, folder: Path, objects: list[dict], mesh_config: str):
        self.config, self.mesh = folder / "config", folder / "mesh.yaml"
        self.config.mkdir(parents=True)
        self.mesh.write_text(mesh_config)
        self.write("all", objects)
        self.port, self.http = free_port(), free_port()
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "ENABLE_CA_SERVER": "false", "POD_NAMESPACE": "istio-system", "PILOT_ENABLE_METADATA_EXCHANGE": "false"}
        command = ["pilot-discovery", "discovery", "--registries=Kubernetes", f"--configDir={self.config}", f"--kubeconfig={os.environ['KUBECONFIG']}"]
        command += [f"--meshConfig={self.mesh}", f"--grpcAddr=127.0.0.1:{self.port}", f"--httpAddr=127.0.0.1:{self.http}"]
        command += ["--httpsAddr=", "--secureGRPCAddr=", "--monitoringAddr=", "--ctrlz_port=0", "--shutdownDuration=1s"]
        self.log = (folder / "istiod.log").open("w")
        self.process = subprocess.Popen(command, env=environment, stdout=self.log, stderr=subprocess.STDOUT, cwd=folder)
        eventually("istiod", lambda: fetch(f"http://127.0.0.1:{self.http}/ready") or True)

    def write(self, name: str, objects: list[dict]) -> None:
        part = self.config / f"{name}.tmp"
        part.write_text(yaml.safe_dump_all(objects))
        part.rename(self.config / f"{name}.yaml")

    def close(self) -> None:
        end(self.process)
        self.log.close()


class Gateway:
    """Envoy as the ingress gateway, configured by istiod alone."""

    def __init__(self, folder: Path, istiod: Istiod):
        self.admin, self.access_log = free_port(), folder / "envoy.log"
        metadata = {
            "NAMESPACE": "istio-ingress", "LABELS": {"istio": "ingress"}, "ISTIO_VERSION": "1.31.0", "CLUSTER_ID": "Kubernetes",
            "SERVICE_ACCOUNT": "istio-ingress", "PROXY_CONFIG": {"gatewayTopology": {"numTrustedProxies": 1}},
        }  # fmt: skip
        ads = {"envoy_grpc": {"cluster_name": "istiod"}}
        http2 = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}}}}
        endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": istiod.port}}}
        bootstrap = {
            "node": {"id": f"router~{ADDRESS}~gateway.istio-ingress~istio-ingress.svc.cluster.local", "cluster": "istio-ingress", "metadata": metadata},
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": self.admin}}},
            "dynamic_resources": {
                "lds_config": {"ads": {}, "resource_api_version": "V3"},
                "cds_config": {"ads": {}, "resource_api_version": "V3"},
                "ads_config": {"api_type": "GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": True, "grpc_services": [ads]},
            },
            "static_resources": {"clusters": [{
                "name": "istiod", "type": "STATIC", "connect_timeout": "1s", "typed_extension_protocol_options": http2,
                "load_assignment": {"cluster_name": "istiod", "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]}}]},
        }  # fmt: skip
        file = folder / "envoy.yaml"
        file.write_text(yaml.safe_dump(bootstrap))
        # appended to: Envoy opens it a second time for its access log, and its own lines would lie over those
        self.log = self.access_log.open("a")
        command = ["envoy", "-c", file, "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"]
        command += ["--file-flush-interval-msec", "200"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        eventually("Envoy's listener", lambda: self.get("/listeners?format=json").find(str(PORT)) > 0)

    def get(self, path: str) -> str:
        return fetch(f"http://127.0.0.1:{self.admin}{path}")

    def post(self, path: str) -> None:
        fetch(f"http://127.0.0.1:{self.admin}{path}", method="POST")

    def stat(self, name: str) -> int:
        """The sum of the counters or gauges whose names end so."""
        return sum(int(line.split(": ")[1]) for line in self.get("/stats?usedonly").splitlines() if line.split(": ")[0].endswith(name))

    def close(self) -> None:
        end(self.process)
        self.log.close()
