"""Envoy as the mesh runs it around a pod: a gateway that speaks mTLS to a sidecar, which speaks to the service. It is the upstream
build, without Istio's metrics filter and without packet redirection, so it does less."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

FIELDS = {
    "start_time": "START_TIME", "route": "ROUTE_NAME", "method": "REQ(:METHOD)", "protocol": "PROTOCOL", "status": "RESPONSE_CODE",
    "flags": "RESPONSE_FLAGS", "details": "RESPONSE_CODE_DETAILS", "duration_ms": "DURATION", "bytes_received": "BYTES_RECEIVED",
    "upstream_ms": "RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)", "bytes_sent": "BYTES_SENT", "request_id": "REQ(X-REQUEST-ID)",
    "traceparent": "REQ(TRACEPARENT)", "upstream": "UPSTREAM_CLUSTER", "upstream_host": "UPSTREAM_HOST",
}  # fmt: skip
TYPE = "type.googleapis.com/envoy.extensions."


@dataclass(frozen=True)
class Settings:
    """What the mesh sets: which requests are logged, which protocol the gateway speaks to the sidecar, and a proxy's threads."""

    every_line: bool = False
    http2: bool = True
    # without a CPU limit, Istio starts one for each of the node's two CPUs
    threads: int = 2


MESHES = {
    "Istio's defaults: every request logged, HTTP/1.1 between them": Settings(every_line=True, http2=False),
    "errors and one request in a hundred logged": Settings(http2=False),
    "the same, HTTP/2 between them (shipped)": Settings(),
    "the same, one thread": Settings(threads=1),
}
# As Telemetry in gitops/platform/mesh: errors, answers by a proxy itself, and traced requests.
SAMPLE = {"extension_filter": {"name": "cel", "typed_config": {
    "@type": f"{TYPE}access_loggers.filters.cel.v3.ExpressionFilter",
    "expression": "response.code >= 500 || response.flags > 0 || request.headers['traceparent'].endsWith('-01')"}}}  # fmt: skip
# One request in a hundred; nothing listens for the spans.
TRACING = {"random_sampling": {"value": 1}, "provider": {"name": "otel", "typed_config": {
    "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig", "service_name": "pod",
    "grpc_service": {"envoy_grpc": {"cluster_name": "collector"}}}}}  # fmt: skip
HTTP2 = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    "@type": f"{TYPE}upstreams.http.v3.HttpProtocolOptions", "explicit_http_config": {"http2_protocol_options": {}}}}  # fmt: skip


def certificate(directory: Path) -> None:
    """A certificate that both ends present and trust."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=pod"]
    files = ["-keyout", str(directory / "key.pem"), "-out", str(directory / "certificate.pem")]
    subprocess.run(["openssl", "req", "-x509", *key, *files], check=True, capture_output=True)


def tls(directory: Path, side: str, protocols: list[str]) -> dict:
    pair = {"certificate_chain": {"filename": str(directory / "certificate.pem")}, "private_key": {"filename": str(directory / "key.pem")}}
    common = {"alpn_protocols": protocols, "tls_certificates": [pair], "validation_context": {"trusted_ca": {"filename": str(directory / "certificate.pem")}}}
    more = {"require_client_certificate": True} if side == "Downstream" else {}
    typed = {"@type": f"{TYPE}transport_sockets.tls.v3.{side}TlsContext", "common_tls_context": common, **more}
    return {"transport_socket": {"name": "tls", "typed_config": typed}}


def address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def command(directory: Path, name: str, port: int, admin: int, upstream: int, mesh: Settings, tls_in: bool, tls_out: bool) -> list[str]:
    """The command for an Envoy that listens on `port` and forwards everything to `upstream`."""
    log = {"@type": f"{TYPE}access_loggers.file.v3.FileAccessLog", "path": str(directory / f"{name}-access.log"),
           "log_format": {"json_format": {field: f"%{value}%" for field, value in FIELDS.items()}}}  # fmt: skip
    routes = [{"name": "public", "match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "7s"}}]
    manager = {
        "@type": f"{TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "access_log": [{"name": "file", "typed_config": log, **({} if mesh.every_line else {"filter": SAMPLE})}],
        "tracing": TRACING,
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{TYPE}filters.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}], **(tls(directory, "Downstream", ["h2", "http/1.1"]) if tls_in else {})}
    endpoints = {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}]}
    cluster = {"name": "upstream", "connect_timeout": "1s", "load_assignment": endpoints, **(tls(directory, "Upstream", ["h2"] if mesh.http2 else ["http/1.1"]) if tls_out else {})}
    if tls_out and mesh.http2:
        cluster["typed_extension_protocol_options"] = HTTP2
    listener = {"name": "in", "address": address(port), "filter_chains": [chain]}
    file = directory / f"{name}.json"
    collector = {"name": "collector", "connect_timeout": "1s", "typed_extension_protocol_options": HTTP2, "load_assignment": {"cluster_name": "collector"}}
    static = {"listeners": [listener], "clusters": [cluster, collector]}
    file.write_text(json.dumps({"admin": {"address": address(admin)}, "static_resources": static}))
    return ["envoy", "-c", str(file), "--concurrency", str(mesh.threads), "--use-dynamic-base-id", "--log-level", "warning"]
