"""JSON schemas for kubeconform, strict: an unknown field is an error, as it is for the API server.

Kubernetes' own come from the PyPI package kubernetes-validate, those of custom resources are generated from the CRDs in
Go modules. Nothing is fetched from schema collections on the internet.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path

import kubernetes_validate
import yaml

from lib import render

# module, folder or file of CRDs in it
MODULES = {
    "github.com/argoproj/argo-cd/v3@v3.5.7": "manifests/crds",
    "istio.io/istio@v0.0.0-20260827124520-eed52ebb66ad": "manifests/charts/base/files/crd-all.gen.yaml",
    "github.com/external-secrets/external-secrets@v1.3.2": "config/crds/bases",
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": "example/prometheus-operator-crd",
    "github.com/fluxcd/flagger@v1.44.0": "charts/flagger/crds/crd.yaml",
}
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
PUBLISHED = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"


def module(name: str) -> Path:
    """Folder of a Go module in the module cache."""
    retry = render.GITOPS.parent / "tools" / "retry"
    said = render.run(retry, "go", "mod", "download", "-json", name, cwd=tempfile.gettempdir())
    return Path(re.search(r'"Dir": "(.+)"', said)[1])


def strict(schema, closed: bool = True):
    """Converts the OpenAPI schema of a CRD to a JSON schema."""
    if not isinstance(schema, dict):
        return schema
    out = dict(schema)
    for key in ("items", "not", "additionalProperties"):
        if key in out:
            out[key] = strict(out[key], closed)
    if "properties" in out:
        out["properties"] = {k: strict(v, closed) for k, v in out["properties"].items()}
        if closed and not schema.get("x-kubernetes-preserve-unknown-fields"):
            out.setdefault("additionalProperties", False)
    for key in ("oneOf", "anyOf", "allOf"):  # these only restrict fields that are declared outside of them
        if key in out:
            out[key] = [strict(s, closed=False) for s in out[key]]
    if schema.get("x-kubernetes-int-or-string"):
        out["type"] = ["integer", "string"]
    elif schema.get("nullable"):
        out["type"] = [out["type"], "null"]
    return out


def custom_resources(documents: list[dict], out: Path) -> None:
    """Writes a schema for each CRD among the documents."""
    for crd in (d for d in documents if d.get("kind") == "CustomResourceDefinition"):
        for version in (v for v in crd["spec"]["versions"] if v["served"]):
            schema = strict(version["schema"]["openAPIV3Schema"])
            schema.setdefault("properties", {}).update(apiVersion={"type": "string"}, kind={"type": "string"}, metadata={"type": "object"})
            target = out / "crd" / crd["spec"]["group"] / f"{crd['spec']['names']['kind'].lower()}_{version['name']}.json"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(json.dumps(schema))


def newest() -> str:
    """The newest Kubernetes version in the package, such as 1.37."""
    return max((f.name.removesuffix(".0-local-strict")[1:] for f in PUBLISHED.glob("v1.*.0-local-strict")), key=lambda v: int(v[2:]))


def write(out: Path, versions: list[str]) -> None:
    for version in versions:
        target = out / f"v{version}.0-standalone-strict"
        target.mkdir(parents=True)
        for file in (PUBLISHED / f"v{version}.0-local-strict").glob("*.json"):
            # references become relative, to files in the same folder
            (target / file.name).write_text(file.read_text().replace('"$id"', '"$comment"').replace('"/api/', '"'))
    for name, path in MODULES.items():
        found = module(name) / path
        for file in sorted(found.glob("*.yaml")) if found.is_dir() else [found]:
            custom_resources(render.documents(file.read_text()), out)


def check(folders: list[Path], version: str, documents: list[dict]) -> subprocess.CompletedProcess:
    """Runs kubeconform on objects, with the schemas in the folders; the first folder that has a schema wins."""
    core = "{{.NormalizedKubernetesVersion}}-standalone{{.StrictSuffix}}/{{.ResourceKind}}{{.KindSuffix}}.json"
    custom = "crd/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
    command = ["kubeconform", "-strict", "-summary", "-kubernetes-version", f"{version}.0"]
    command += [a for folder in folders for kind in (core, custom) for a in ("-schema-location", f"{folder}/{kind}")]
    return subprocess.run(command, input=yaml.dump_all(documents, Dumper=DUMPER), text=True, capture_output=True)
