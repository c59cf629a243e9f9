"""A cluster under test: kubectl as functions, and the stand-ins for what a cluster without containers lacks."""

import contextlib
import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

NAMESPACE = "birthday-api"


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


def eventually(what: str, condition, timeout: float = 120, every: float = 1.0):
    """Waits until `condition()` is true and returns it; its last answer is part of the failure."""
    end, last = time.monotonic() + timeout, None
    while time.monotonic() < end:
        try:
            last = condition()
            if last:
                return last
        except (RuntimeError, subprocess.TimeoutExpired) as e:
            last = e
        time.sleep(every)
    raise AssertionError(f"not within {timeout:.0f} s: {what}; last seen: {last!r}"[:2000])


def always(what: str, condition, seconds: float, every: float = 1.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), f"did not hold for {seconds:.0f} s: {what}"
        time.sleep(every)


def application(name: str) -> dict:
    found = get("application.argoproj.io", name, "argocd")
    if found is None:
        raise RuntimeError(f"no Application {name}")
    return found


def states(app: dict) -> tuple[str, str]:
    status = app.get("status", {})
    return status.get("sync", {}).get("status", "-"), status.get("health", {}).get("status", "-")


def refresh(name: str) -> None:
    """Argo CD looks at Git now instead of at its next poll."""
    kubectl("annotate", "application.argoproj.io", name, "-n", "argocd", "argocd.argoproj.io/refresh=hard", "--overwrite")


def serving_pods() -> list[dict]:
    """Ready pods that take users' requests, the stable ones and a canary's, that are not being deleted."""
    pods = items("pods", NAMESPACE, "app.kubernetes.io/component=server")
    return [p for p in pods if "deletionTimestamp" not in p["metadata"] and ready(p)]


def ready(pod: dict) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


def zones(pods: list[dict]) -> dict[str, int]:
    nodes = {n["metadata"]["name"]: n["metadata"]["labels"]["topology.kubernetes.io/zone"] for n in items("nodes")}
    count: dict[str, int] = {}
    for pod in pods:
        zone = nodes.get(pod["spec"]["nodeName"], "gone")
        count[zone] = count.get(zone, 0) + 1
    return count


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

    def revert(self, commit: str = "HEAD") -> str:
        self.git("revert", "--no-edit", commit)
        return self.git("rev-parse", "HEAD")

    @contextlib.contextmanager
    def mistake(self, message: str, path: str, old: str, new: str):
        """A commit that is reverted at the end, whatever became of it."""
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


class SecretsOperator:
    """Plays external-secrets: makes the Secret of each ExternalSecret, keeps it up to date and reports it ready, as the operator
    does. `read` says what is in the secret of a key."""

    def __init__(self, read):
        self.read, self.made = read, {}
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while not self.stop.wait(1):
            try:
                for kind in ("clustersecretstores.external-secrets.io", "externalsecrets.external-secrets.io"):
                    for found in items(kind):
                        self.serve(kind, found)
            except (RuntimeError, subprocess.TimeoutExpired):
                continue  # the CRD or the server is not there yet, or no longer

    def serve(self, kind: str, found: dict) -> None:
        name, namespace = found["metadata"]["name"], found["metadata"].get("namespace")
        where = ["-n", namespace] if namespace else []
        references = {d["secretKey"]: d["remoteRef"] for d in found["spec"].get("data", [])}
        # Once for each key, as the operator does: a user name never comes with the password of another version.
        read = {key: self.read(key) for key in sorted({r["key"] for r in references.values()})}
        values = {name: read[r["key"]][r["property"]] for name, r in references.items()}
        if found.get("status", {}).get("conditions") and self.made.get((kind, name)) == values:
            return
        if namespace:
            secret = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": namespace},
                "stringData": values,
            }
            kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(secret))
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        condition = {"type": "Ready", "status": "True", "reason": "Valid", "message": "", "lastTransitionTime": now}
        patch = json.dumps({"status": {"conditions": [condition]}})
        kubectl("patch", kind, name, *where, "--subresource=status", "--type=merge", "-p", patch)
        self.made[kind, name] = values

    def close(self) -> None:
        self.stop.set()
        self.thread.join(timeout=30)


class Loopback:
    """An HTTP server on a free port, in a thread."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]):
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


class Monitoring(Loopback):
    """Plays Prometheus and the load tester for Flagger: answers what a test says, and notes what was asked."""

    def __init__(self):
        self.success_rate, self.latency = 100.0, 20.0
        self.webhooks: list[dict] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                query = parse_qs(urlparse(self.path).query).get("query", [""])[0]
                value = outer.latency if "histogram_quantile" in query else outer.success_rate
                result = [{"metric": {}, "value": [time.time(), str(value)]}]
                self.answer({"status": "success", "data": {"resultType": "vector", "result": result}})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.webhooks.append({"url": self.path, **body})
                self.answer({})

            def answer(self, content: dict):
                data = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        super().__init__(Handler)


class Flagger:
    """The real controller, with the rights that its chart gives to its service account."""

    def __init__(self, binary: Path, monitoring: Monitoring, folder: Path):
        config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        token = kubectl("create", "token", "flagger", "-n", "flagger", "--duration=2h").strip()
        config["users"] = [{"name": "flagger", "user": {"token": token}}]
        config["contexts"] = [{"name": "flagger", "context": {"cluster": config["clusters"][0]["name"], "user": "flagger"}}]
        config["current-context"] = "flagger"
        kubeconfig = folder / "flagger.kubeconfig"
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(json.dumps(config))
        deployment = get("deployment", "flagger", "flagger")
        # the arguments of the chart, but for the address of Prometheus
        args = [a for a in deployment["spec"]["template"]["spec"]["containers"][0]["command"][1:]
                if not a.startswith(("-metrics-server", "-enable-leader-election", "-leader-election-namespace"))]
        args += [f"-metrics-server={monitoring.url}", f"-kubeconfig={kubeconfig}", "-port=0", "-control-loop-interval=2s"]
        self.log = folder / "flagger.log"
        # webhooks go to a name of the cluster: a proxy on loopback stands for it
        env = {**os.environ, "HTTP_PROXY": monitoring.url, "NO_PROXY": "127.0.0.1,localhost"}
        self.process = subprocess.Popen([str(binary), *args], stdout=self.log.open("w"), stderr=subprocess.STDOUT, env=env)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
