"""Real nodes, and their environment that is not in Git: the subnets, the load balancer's network path, external names, images
in a registry, charts at their URLs, Argo CD's own processes."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import yaml

from common.engine import docker
from common.start import free_port
from lib import cluster as c
from lib import render
from lib.chart_server import ChartServer

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("NODES_SCRIPTS", render.GITOPS.parent.parent / "shared" / "nodes"))
HOME = Path(os.environ.get("NODES_HOME", Path.home() / ".cache" / "birthday-nodes"))
BIN = Path(os.environ.get("CLUSTER_HOME", Path.home() / ".cache" / "birthday-cluster")) / "bin"
CRDS = BIN.parent / "crds"
# The nodes are in a public subnet: traffic from the host has its first address, and so comes from the load balancer's subnets.
SUBNET, DATABASE, NETWORK = "10.0.1", "10.0.20.0/22", "birthday-database"
GATEWAY = f"{SUBNET}.1"
NODES = ("node-1", "node-2", "node-3")
ZONES = {"node-1": "eu-west-1a", "node-2": "eu-west-1b", "node-3": "eu-west-1c"}
# Part of a pod's image name -> the local image. Istio's and Prometheus' images are in the registry under their own names.
IMAGES = {
    "metrics-server/metrics-server": "registry.k8s.io/metrics-server/metrics-server:nodes",
    "external-secrets/external-secrets": "oci.external-secrets.io/external-secrets/external-secrets:nodes",
    "fluxcd/flagger": "birthday-nodes/flagger",
    "fluxcd/flagger-loadtester": "birthday-nodes/loadtester",
    "aws-observability/aws-otel-collector": "birthday-nodes/collector",
}
# Chart values for these tests only: upstream Envoy has none of Istio's own filters, the kubelet's certificate is self-signed,
# Secrets Manager is a double. The rules of charts/kube-prometheus-stack compute istio_* from Envoy's counters.
CHARTS = {
    "istiod": {"_internal_defaults_do_not_set": {
        "env": {"PILOT_ENABLE_METADATA_EXCHANGE": "false", "PILOT_ENABLE_ALPN_FILTER": "false"},
        "telemetry": {"enabled": False},
        "meshConfig": {"defaultConfig": {"proxyStatsMatcher": {"inclusionRegexps": [
            r"cluster\.inbound.*upstream_(rq|cx_http).*", r"cluster\.outbound.*(outlier_detection|upstream_rq|upstream_cx_http).*"]}}}}},
    "metrics-server": {"args": ["--kubelet-insecure-tls"]},
    "external-secrets": {"extraEnv": [
        {"name": f"AWS_{service}_ENDPOINT", "value": f"http://{GATEWAY}:5000"} for service in ("SECRETSMANAGER", "STS")]},
}  # fmt: skip


def build(tag: str, dockerfile: str, *files: Path) -> None:
    """Builds an image of these files."""
    with tempfile.TemporaryDirectory() as context:
        for file in files:
            shutil.copy(file, context)
            (Path(context) / file.name).chmod(0o755)
        (Path(context) / "Dockerfile").write_text(dockerfile)
        docker("build", "--quiet", "--tag", tag, context)


def merge(into: dict, more: dict) -> dict:
    for key, value in more.items():
        into[key] = merge(into.get(key) or {}, value) if isinstance(value, dict) else value
    return into


class Programs:
    """Servers outside the cluster; all stop with it."""

    def __init__(self, folder: Path):
        self.folder, self.running = folder, {}

    def start(self, name: str, *command: str | Path, **environment: str) -> None:
        log = (self.folder / f"{name}.log").open("w")
        self.running[name] = subprocess.Popen([*map(str, command)], env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT)

    def close(self) -> None:
        for process in reversed(self.running.values()):
            process.terminate()
        for process in self.running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


class Stage:
    def __init__(self, folder: Path, double: str):
        self.folder, self.double, self.programs, self.hosts = folder, double, Programs(folder), {}
        os.environ |= {"NODES_SUBNET": SUBNET, "KUBECONFIG": str(HOME / "run" / "kubeconfig"), "PATH": f"{HOME / 'bin'}:{BIN}:{os.environ['PATH']}"}

    # ------------------------------------------------------------------ nodes

    def up(self) -> None:
        subprocess.run([SHARED / "up", "policies"], check=True, timeout=300, stdout=subprocess.DEVNULL)
        docker("network", "create", "--subnet", DATABASE, NETWORK)
        for number, node in enumerate(NODES, 1):
            docker("network", "connect", "--ip", f"10.0.20.1{number}", NETWORK, f"nodes-{node}")
            subprocess.run(["ip", "route", "replace", f"10.244.{number}.0/24", "via", f"{SUBNET}.1{number}"], check=True)
        # the AWS double listens on loopback; pods reach it at the first address of the network
        docker("run", "--detach", "--name", "nodes-aws", "--network", "host", "--entrypoint", "socat", "nodes-node",
               f"TCP-LISTEN:5000,bind={GATEWAY},fork,reuseaddr", f"TCP:{self.double.removeprefix('http://')}")  # fmt: skip
        # as EKS' add-on: two replicas, in two zones
        spread = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
        two = {"spec": {"replicas": 2, "template": {"spec": {"topologySpreadConstraints": [spread]}}}}
        c.kubectl("patch", "deployment", "coredns", "-n", "kube-system", "-p", json.dumps(two))
        c.kubectl("rollout", "status", "deployment/coredns", "-n", "kube-system", "--timeout=120s", timeout=130)
        self._names()
        c.kubectl("create", "namespace", "argocd")
        for folder in (CRDS, HOME / "charts/prometheus-crds", HOME / "charts/external-secrets-crds"):
            files = [f for f in sorted(folder.rglob("*.yaml")) if f.name != "istio.yaml" and "CustomResourceDefinition" in f.read_text()]
            c.kubectl("apply", "--server-side", "--force-conflicts", *(part for f in files for part in ("-f", str(f))), timeout=180)

    def down(self) -> None:
        self.programs.close()
        subprocess.run([SHARED / "down"], check=True)
        left = docker("ps", "--all", "--quiet", "--filter", f"label={NETWORK}").split()
        if left:
            docker("rm", "--force", "--volumes", *left)
        subprocess.run(["docker", "network", "rm", NETWORK], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    # ------------------------------------------------------------------ external names

    def point(self, host: str, address: str) -> None:
        """Makes a name resolve to an address within five seconds, as Route 53 does after a failover."""
        self.hosts[host] = address
        (self.folder / "hosts").write_text(self._hosts())
        self._names()

    def _hosts(self) -> str:
        return "".join(f"{address} {host}\n" for host, address in self.hosts.items())

    def _names(self) -> None:
        found = c.get("configmap", "coredns", "kube-system")
        found["data"]["hosts"] = self._hosts() or "# none\n"
        if "ttl 5" not in found["data"]["Corefile"]:
            found["data"]["Corefile"] = found["data"]["Corefile"].replace("reload 2s\n", "reload 2s\n            ttl 5\n")
        found["metadata"] = {"name": "coredns", "namespace": "kube-system"}
        c.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(found))
        c.eventually("CoreDNS has the names", lambda: self._reached(found["data"]["hosts"]), 120, every=0.5)

    def _reached(self, hosts: str) -> bool:
        """The kubelet refreshes a pod's files once a minute, or when the pod changes, which may be before it sees the new names."""
        c.kubectl("annotate", "pod", "-n", "kube-system", "-l", "k8s-app=kube-dns", f"names={time.time_ns()}", "--overwrite")
        for pod in c.items("pods", "kube-system", "k8s-app=kube-dns"):
            file = f"/var/lib/kubelet/pods/{pod['metadata']['uid']}/volumes/kubernetes.io~configmap/config/hosts"
            if docker("exec", f"nodes-{pod['spec']['nodeName']}", "cat", file, check=False) != hosts.strip():
                return False
        return True

    # ------------------------------------------------------------------ images and charts

    def push(self, image: str, name: str) -> str:
        """Pushes a local image for the pods, under a name with a tag, and returns its digest."""
        done = subprocess.run([SHARED / "push", f"{image}={name}"], text=True, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().partition("@")[2]

    def charts(self, applications: list[dict]) -> None:
        real = self.folder / "charts"
        subprocess.run([HERE.parent / "lib" / "charts", real], check=True, capture_output=True)
        shutil.copytree(HERE / "charts", real, dirs_exist_ok=True)
        monitoring = [o for o in render.documents((SHARED / "prometheus.yaml").read_text()) if o["kind"] != "Namespace"]
        (real / "kube-prometheus-stack/templates/prometheus.yaml").write_text(yaml.safe_dump_all(monitoring))
        shutil.copytree(HOME / "charts" / "external-secrets", real / "external-secrets")
        for chart, values in CHARTS.items():
            file = real / chart / "values.yaml"
            file.write_text(yaml.safe_dump(merge(yaml.safe_load(file.read_text()), values)))
        [upstream] = [o for o in render.documents((SHARED / "istio/mesh.yaml").read_text()) if o["kind"] == "EnvoyFilter"]
        (real / "istiod" / "templates" / "upstream-envoy.yaml").write_text(yaml.safe_dump(upstream))
        self._images(applications, real)
        ChartServer(applications, real, {f.name for f in real.iterdir()}, self.folder).known_to_argo_cd()

    def _images(self, applications: list[dict], charts: Path) -> None:
        """Pushes every image that gitops/ uses, under its name."""
        flagger, gobin = shutil.which("flagger"), Path(os.environ["EXTRA"])
        # their probes call wget
        base = "FROM nodes-debian\nRUN apt-get update && apt-get install -y --no-install-recommends wget && rm -rf /var/lib/apt/lists/*\n"
        build("birthday-nodes/flagger", f"{base}COPY flagger /home/flagger/\nWORKDIR /home/flagger\n", Path(flagger))
        build("birthday-nodes/loadtester", f"{base}COPY hey /usr/local/bin/\nCOPY loadtester /home/app/\nWORKDIR /home/app\n"
              'ENTRYPOINT ["./loadtester"]\n', gobin / "loadtester", gobin / "hey")  # fmt: skip
        build("birthday-nodes/collector", 'FROM scratch\nCOPY collector /collector\nENTRYPOINT ["/collector"]\n', gobin / "collector")
        names = set()
        for application in applications:
            for found in render.objects(application, charts) or []:
                pod = found.get("spec", {}).get("template", {}).get("spec") or {} if found["kind"] in ("Deployment", "DaemonSet") else {}
                names |= {container["image"] for container in pod.get("containers", [])}
        for name in sorted(names):
            local = next((image for part, image in IMAGES.items() if f"{part}:" in name), None)
            if local:
                self.push(local, name)
                print(f"image {name}: {local}")

    # ------------------------------------------------------------------ Argo CD

    def argo_cd(self, url: str, repository: Path, settings: dict[str, str]) -> None:
        """Starts its three servers on the host, with their settings from Git; `url` resolves to `repository`."""
        argo, home = self.folder / "argocd", str(self.folder / "argocd")
        for name in ("gpg", "tmp", "tls", "ssh", "plugins"):
            (argo / name).mkdir(parents=True)
        (argo / "gpg").chmod(0o700)
        labels = {"app.kubernetes.io/part-of": "argocd"}
        made = [("ConfigMap", "argocd-cm", settings | {"timeout.reconciliation": "120s"})]
        made += [("ConfigMap", f"argocd-{name}", {}) for name in ("rbac-cm", "ssh-known-hosts-cm", "tls-certs-cm", "gpg-keys-cm")]
        made += [("Secret", "argocd-secret", {"server.secretkey": os.urandom(16).hex()})]
        for kind, name, data in made:
            metadata = {"name": name, "namespace": "argocd", "labels": labels | {"app.kubernetes.io/name": name}}
            field = {"stringData" if kind == "Secret" else "data": data}
            c.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": kind, "metadata": metadata, **field}))
        git, redis, repo = free_port(), free_port(), free_port()
        front = ["-listen", f"127.0.0.1:{git}", "-cert", self.folder / "cert", "-key", self.folder / "key", f"{url}={repository}"]
        self.programs.start("gitfront", "gitfront", *front)
        c.argo_cd_reads("git", {"type": "git", "url": url, "proxy": f"http://127.0.0.1:{git}"})
        self.programs.start("redis", "redis-server", "--bind", "127.0.0.1", "--port", str(redis), "--save", "", "--dir", argo)
        environment = {
            "HOME": home, "TMPDIR": f"{home}/tmp", "ARGOCD_FAKE_IN_CLUSTER": "true", "ARGOCD_GPG_ENABLED": "false", "ARGOCD_GNUPGHOME": f"{home}/gpg",
            "ARGOCD_TLS_DATA_PATH": f"{home}/tls", "ARGOCD_SSH_DATA_PATH": f"{home}/ssh", "ARGOCD_PLUGINSOCKFILEPATH": f"{home}/plugins",
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        }  # fmt: skip
        self.programs.start(
            "repo-server", "argocd-repo-server", "--redis", f"127.0.0.1:{redis}", "--disable-tls", "--client-ca-path", "", "--address", "127.0.0.1",
            "--port", str(repo), "--metrics-address", "127.0.0.1", "--metrics-port", str(free_port()), "--revision-cache-expiration", "10s", **environment)  # fmt: skip
        self.programs.start(
            "application-controller", "argocd-application-controller", "--kubeconfig", os.environ["KUBECONFIG"], "-n", "argocd",
            "--redis", f"127.0.0.1:{redis}", "--repo-server", f"127.0.0.1:{repo}", "--repo-server-plaintext", "--metrics-port", str(free_port()),
            "--app-resync", "120", "--app-resync-jitter", "0", "--self-heal-backoff-timeout-seconds", "1", **environment)  # fmt: skip
        self.programs.start(
            "applicationset-controller", "argocd-applicationset-controller", "--kubeconfig", os.environ["KUBECONFIG"], "-n", "argocd",
            "--argocd-repo-server", f"127.0.0.1:{repo}", "--repo-server-plaintext", "--enable-leader-election=false",
            *(part for name in ("metrics", "probe", "webhook") for part in (f"--{name}-addr", f"127.0.0.1:{free_port()}")), **environment)  # fmt: skip
