"""gitops/bootstrap/install on a cluster without Argo CD, with kubectl, helm and jq but no compiler."""

import json
import os
import shutil
import subprocess

import pytest
import yaml

from lib import cluster as c
from lib import render, schemas
from lib.chart_server import ChartServer

KINDS = ("applications", "applicationsets", "appprojects")
# The real chart is available only from the internet. This one has its CRDs, its settings and the two workloads that install waits for.
TEMPLATE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm}
data: {{- toYaml .Values.configs.cm | nindent 2 }}
{{- range list "repo-server" "applicationset-controller" }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: argocd-{{ . }}}
spec:
  selector: {matchLabels: {app: {{ . }}}}
  template:
    metadata: {labels: {app: {{ . }}}}
    spec: {containers: [{name: it, image: "registry.k8s.io/pause:3.10"}]}
{{- end }}
"""


@pytest.fixture
def charts(tmp_path):
    argo_cd = next(a for a in render.applications("production", render.bridge("production")) if a["metadata"]["name"] == "argo-cd")
    chart = tmp_path / "argo-cd"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": "argo-cd", "version": argo_cd["spec"]["source"]["targetRevision"]}))
    (chart / "templates" / "all.yaml").write_text(TEMPLATE)
    shutil.copytree(schemas.module("github.com/argoproj/argo-cd/v3@v3.5.7") / "manifests/crds", chart / "crds")
    (chart / "crds" / "kustomization.yaml").unlink()
    server = ChartServer([argo_cd], tmp_path, {"argo-cd"}, tmp_path)
    yield server
    server.close()


@pytest.fixture
def tools(tmp_path):
    """A PATH with the tools that install names and those that every machine has."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("kubectl", "helm", "jq"):
        (folder / name).symlink_to(shutil.which(name))
    return f"{folder}:/usr/bin:/bin"


def test_an_empty_cluster_follows_the_repository_after_install_twice(charts, tools, tmp_path):
    c.kubectl("delete", "crd", "--ignore-not-found", *(f"{k}.argoproj.io" for k in KINDS))
    terraform = render.handover("production")
    bridge = tmp_path / "bridge.json"
    bridge.write_text(json.dumps(terraform))
    environment = {"KUBECONFIG": os.environ["KUBECONFIG"], "HOME": str(tmp_path), "PATH": tools}
    environment |= {"HTTPS_PROXY": charts.url, "SSL_CERT_FILE": str(charts.certificate)}
    for _ in range(2):
        subprocess.run([render.GITOPS / "bootstrap" / "install", "production", "--bridge", bridge], env=environment, check=True, timeout=300)
    try:
        made = c.get("secret", "in-cluster", "argocd")["metadata"]
        assert made["annotations"].items() >= terraform["annotations"].items()
        assert made["labels"] == {**terraform["labels"], "argocd.argoproj.io/secret-type": "cluster"}
        assert {p["metadata"]["name"] for p in c.items("appprojects.argoproj.io", "argocd")} == {"root", "platform", "birthday-api"}
        assert c.get("applicationset.argoproj.io", "root", "argocd")
        for kind, name in (("configmap", "argocd-cm"), ("appproject.argoproj.io", "platform")):
            assert {f["manager"] for f in json.loads(c.kubectl("get", kind, name, "-n", "argocd", "-o", "json", "--show-managed-fields"))["metadata"]["managedFields"]} == {"argocd-controller"}
        assert "resource.customizations.health.argoproj.io_Application" in c.get("configmap", "argocd-cm", "argocd")["data"]
    finally:
        c.kubectl("delete", "namespace", "argocd", "--wait=false")
