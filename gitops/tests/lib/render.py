"""Renders this folder as Argo CD does, without Argo CD: the root passes the cluster Secret to gitops/apps (Helm), whose
Applications point at Kustomize overlays and charts. A test compares the Applications with those of a real Argo CD."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

GITOPS = Path(__file__).resolve().parents[2]
# image digest for environments that have no release yet
RELEASED = "sha256:" + "1" * 64
EXAMPLE = GITOPS / "bootstrap" / "cluster-secret.example.yaml"
KUBE_VERSION = os.environ.get("KUBE_VERSION", "1.35.0")
# APIs that our clusters serve beyond Kubernetes' own; charts check for them
API_VERSIONS = ["monitoring.coreos.com/v1", "networking.istio.io/v1", "policy/v1/PodDisruptionBudget"]


def run(*command: str | Path, **options) -> str:
    done = subprocess.run(command, text=True, capture_output=True, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command[:3]))}: {done.stderr.strip()}")
    return done.stdout


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# YAML 1.1's bare `=`, which charts use as a string
LOADER.add_constructor("tag:yaml.org,2002:value", LOADER.construct_yaml_str)


def documents(text: str) -> list[dict]:
    return [d for d in yaml.load_all(text, LOADER) if d]


def helm(release: str, chart: Path, namespace: str, values: dict, files: list[Path] = (), changes: dict | None = None) -> list[dict]:
    """`changes` overrides values, by their paths."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        yaml.safe_dump(values, f)
        f.flush()
        command = ["helm", "template", release, str(chart), "-n", namespace, "--include-crds", "--skip-tests"]
        command += ["--kube-version", KUBE_VERSION, *(a for v in API_VERSIONS for a in ("--api-versions", v))]
        command += [a for file in files for a in ("-f", str(file))]
        command += [a for path, value in (changes or {}).items() for a in ("--set-json", f"{path}={json.dumps(value)}")]
        return documents(run(*command, "-f", f.name))


def kustomize(folder: Path, patches: list[dict], components: list[str]) -> list[dict]:
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp).resolve()
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(folder.resolve(), tmp)],
            "components": [os.path.relpath((folder / c).resolve(), tmp) for c in components],
            "patches": patches,
        }
        (tmp / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return documents(run("kustomize", "build", str(tmp)))


def handover(environment: str, file: Path = EXAMPLE) -> dict:
    """What `terraform output -json bridge` prints, read from a cluster Secret."""
    for secret in documents(file.read_text()):
        labels = secret["metadata"]["labels"]
        if labels["environment"] == environment:
            return {"labels": {k: v for k, v in labels.items() if "/" not in k}, "annotations": secret["metadata"]["annotations"]}
    raise SystemExit(f"{file}: no cluster Secret with the label environment={environment}")


def bridge(environment: str, file: Path = EXAMPLE) -> dict:
    """The cluster Secret's labels and annotations, as the root ApplicationSet merges them."""
    found = handover(environment, file)
    return {**found["annotations"], **found["labels"]}


def applications(environment: str, secret: dict, changes: dict | None = None) -> list[dict]:
    """The Applications of gitops/apps, as the root renders them. `changes` overrides the environment's values."""
    root = documents((GITOPS / "bootstrap" / "root.yaml").read_text())[0]
    source = root["spec"]["template"]["spec"]["source"]
    values = {
        "bridge": secret,
        "repository": {"url": source["repoURL"], "revision": source["targetRevision"]},
        **(changes or {}),
    }
    chart = GITOPS.parent / source["path"]
    files = [chart / f.replace("{{ .metadata.labels.environment }}", environment) for f in source["helm"]["valueFiles"]]
    found = helm("root", chart, "argocd", values, files)
    return sorted(found, key=lambda a: (wave(a), a["metadata"]["name"]))


def wave(application: dict) -> int:
    return int(application["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])


def objects(application: dict, charts: Path | None, digest: str = "") -> list[dict] | None:
    """The objects of an Application; None for a third-party chart that is not in `charts`. `digest` replaces the one that the
    environment names."""
    spec = application["spec"]
    source, namespace = spec["source"], spec["destination"]["namespace"]
    if "chart" in source:
        chart = charts / source["chart"] if charts else None
        if chart is None or not chart.is_dir():
            return None
        return helm(source["helm"]["releaseName"], chart, namespace, source["helm"].get("valuesObject", {}))
    path = GITOPS.parent / source["path"]
    if "helm" in source:
        files = [path / f for f in source["helm"]["valueFiles"]]
        values = source["helm"]["valuesObject"]
        if digest:
            values = {**values, "image": {**values["image"], "digest": digest}}
        return helm(source["helm"]["releaseName"], path, namespace, values, files)
    settings = source.get("kustomize", {})
    return kustomize(path, settings.get("patches", []), settings.get("components", []))


def roles(objects: list[dict]) -> set[tuple[tuple[str, str], str]]:
    """((namespace, service account), role) of ServiceAccounts, and of service accounts in the values of a chart."""

    def within(node, namespace: str):
        if isinstance(node, dict):
            if role := (node.get("annotations") or {}).get("eks.amazonaws.com/role-arn"):
                yield (namespace, node["name"]), role
            for value in node.values():
                yield from within(value, namespace)

    found = set()
    for o in objects:
        if o["kind"] == "ServiceAccount":
            found |= set(within(o["metadata"], o["metadata"]["namespace"]))
        elif o["kind"] == "Application":
            found |= set(within(o["spec"]["source"].get("helm", {}).get("valuesObject"), o["spec"]["destination"]["namespace"]))
    return found


def main() -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # render | head
    parser = argparse.ArgumentParser(prog="render")
    parser.add_argument("environment", choices=["staging", "production"])
    parser.add_argument("--only", metavar="APPLICATION")
    parser.add_argument("--applications", action="store_true")
    parser.add_argument("--bridge", type=Path, default=EXAMPLE)
    parser.add_argument("--charts", type=Path)
    parser.add_argument("--digest", default="")
    args = parser.parse_args()
    apps = applications(args.environment, bridge(args.environment, args.bridge))
    chosen = [a for a in apps if args.only in (None, a["metadata"]["name"])]
    if not chosen:
        raise SystemExit(f"no Application {args.only}")
    if args.applications:
        yaml.safe_dump_all(chosen, sys.stdout, sort_keys=False)
        return
    for app in chosen:
        found = objects(app, args.charts, args.digest)
        name = app["metadata"]["name"]
        if found is None:
            chart = app["spec"]["source"]
            print(f"# {name}: chart {chart['chart']} {chart['targetRevision']} of {chart['repoURL']} is not rendered", file=sys.stderr)
            continue
        for o in found:
            print(f"---\n# Application {name}, wave {wave(app)}")
            yaml.safe_dump(o, sys.stdout, sort_keys=False, width=140)


if __name__ == "__main__":
    main()
