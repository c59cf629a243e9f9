"""A cluster under test: kubectl as functions, and replacements for what a cluster without containers lacks."""

import contextlib
import functools
import json
import os
import subprocess
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from common import start

NAMESPACE = "birthday-api"
# each question starts a kubectl
eventually = functools.partial(start.eventually, every=1.0)


def kubectl(*args: str, stdin: str | None = None, timeout: int = 60) -> str:
    done = subprocess.run(["kubectl", *args], input=stdin, text=True, capture_output=True, timeout=timeout)
    if done.returncode:
        raise RuntimeError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
    return done.stdout


def get(kind: str, name: str | None = None, namespace: str | None = None, selector: str | None = None) -> dict | None:
    """One object, or None if there is none; without a name a list."""
    args = ["get", kind, *([name] if name else []), "-o", "json", "--ignore-not-found"]
    args += ["-n", namespace] if namespace else ["-A"] if not name else []
    out = kubectl(*args, *(["-l", selector] if selector else []))
    return json.loads(out) if out else None


def items(kind: str, namespace: str | None = None, selector: str | None = None) -> list[dict]:
    found = get(kind, None, namespace, selector)
    return found["items"] if found else []


def application(name: str) -> dict:
    found = get("application.argoproj.io", name, "argocd")
    if found is None:
        raise RuntimeError(f"no Application {name}")
    return found


def states(app: dict) -> tuple[str, str]:
    status = app.get("status", {})
    return status.get("sync", {}).get("status", "-"), status.get("health", {}).get("status", "-")


def refresh(name: str) -> None:
    """Makes Argo CD read Git now instead of at its next poll."""
    kubectl("annotate", "application.argoproj.io", name, "-n", "argocd", "argocd.argoproj.io/refresh=hard", "--overwrite")


def serving_pods() -> list[dict]:
    """Ready pods that serve users, stable and canary, except those that are being deleted."""
    pods = items("pods", NAMESPACE, "app.kubernetes.io/component=server")
    return [p for p in pods if "deletionTimestamp" not in p["metadata"] and ready(p)]


def ready(pod: dict) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


def zones(pods: list[dict]) -> dict[str, int]:
    nodes = {n["metadata"]["name"]: n["metadata"]["labels"]["topology.kubernetes.io/zone"] for n in items("nodes")}
    return dict(Counter(nodes.get(pod["spec"]["nodeName"], "gone") for pod in pods))


def argo_cd_reads(name: str, content: dict[str, str]) -> None:
    """Registers a Git or Helm repository with Argo CD."""
    metadata = {"name": name, "namespace": "argocd", "labels": {"argocd.argoproj.io/secret-type": "repository"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": content | {"insecure": "true"}}
    kubectl("apply", "-f", "-", stdin=json.dumps(secret))


def all_well(applications: int) -> bool:
    """True if at least that many Applications exist and all are Synced and Healthy; raises otherwise."""
    apps = items("applications.argoproj.io", "argocd")
    ill = [(a["metadata"]["name"], *states(a)) for a in apps if states(a) != ("Synced", "Healthy")]
    if len(apps) < applications or ill:
        raise RuntimeError(f"{len(apps)} Applications, {ill}")
    return True


class Repository:
    """The Git repository that Argo CD follows, made from this folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def git(self, *args: str) -> str:
        settings = ["-c", "user.name=test", "-c", "user.email=test@example.test", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(self.folder), *settings, *args]
        return subprocess.run(command, text=True, capture_output=True, check=True).stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def revert(self) -> None:
        self.git("revert", "--no-edit", "HEAD")

    @contextlib.contextmanager
    def mistake(self, message: str, path: str, old: str, new: str):
        """Makes a commit and reverts it at the end, whatever happens."""
        self.edit(path, old, new)
        self.commit(message)
        try:
            yield
        finally:
            self.revert()

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        text = file.read_text()
        assert text.count(old) == 1, f"{path} has {text.count(old)} times {old!r}"
        file.write_text(text.replace(old, new))


def serve_secrets() -> bool:
    """Replaces external-secrets: creates the Secret of each ExternalSecret and reports it ready."""
    for found in items("clustersecretstores.external-secrets.io") + items("externalsecrets.external-secrets.io"):
        if found.get("status", {}).get("conditions"):
            continue
        name, namespace = found["metadata"]["name"], found["metadata"].get("namespace")
        if namespace:
            values = {d["secretKey"]: "made-by-the-test" for d in found["spec"]["data"]}
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "stringData": values}
            kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(secret))
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        condition = {"type": "Ready", "status": "True", "reason": "Valid", "message": "", "lastTransitionTime": now}
        patch = json.dumps({"status": {"conditions": [condition]}})
        where = ["-n", namespace] if namespace else []
        kubectl("patch", found["kind"], name, *where, "--subresource=status", "--type=merge", "-p", patch)
    return True


class Answers(BaseHTTPRequestHandler):
    """What Prometheus and the load tester answer to Flagger: always success."""

    def do_GET(self):
        value = "20" if "histogram_quantile" in self.path else "100"
        answer = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [time.time(), value]}]}}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()


class Flagger:
    """The real controller, with the permissions that its chart gives to its service account."""

    def __init__(self, folder: Path):
        self.monitoring = start.Loopback(Answers)
        config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        config["users"][0]["user"] = {"token": kubectl("create", "token", "flagger", "-n", "flagger", "--duration=2h").strip()}
        kubeconfig = folder / "flagger.kubeconfig"
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(json.dumps(config))
        deployment = get("deployment", "flagger", "flagger")
        # the chart's arguments, except the address of Prometheus and leader election
        args = [a for a in deployment["spec"]["template"]["spec"]["containers"][0]["command"][1:]
                if not a.startswith(("-metrics-server", "-enable-leader-election", "-leader-election-namespace"))]
        args += [f"-metrics-server={self.monitoring.url}", f"-kubeconfig={kubeconfig}", "-port=0", "-control-loop-interval=2s"]
        # webhooks use a cluster-internal name: a proxy on loopback answers for it
        env = {**os.environ, "HTTP_PROXY": self.monitoring.url, "NO_PROXY": "127.0.0.1,localhost"}
        self.process = subprocess.Popen(["flagger", *args], stdout=(folder / "flagger.log").open("w"), stderr=subprocess.STDOUT, env=env)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
        self.monitoring.close()
