"""Every object fits the schema of its kind, on the oldest Kubernetes that the project starts from and on the newest."""

import subprocess

import pytest
import yaml

from lib import render, schemas

# Its CRD is in no package that can be installed; the API server of tests/run cluster checks it.
WITHOUT_SCHEMA = "TargetGroupBinding"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("schemas")
    schemas.write(out, ["1.31", schemas.newest()])
    return out


def kubeconform(folder, version: str, documents: list[dict]) -> subprocess.CompletedProcess:
    locations = [
        f"{folder}/{{{{.NormalizedKubernetesVersion}}}}-standalone{{{{.StrictSuffix}}}}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json",
        f"{folder}/crd/{{{{.Group}}}}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json",
    ]
    command = ["kubeconform", "-strict", "-summary", "-kubernetes-version", f"{version}.0", "-skip", WITHOUT_SCHEMA]
    command += [a for where in locations for a in ("-schema-location", where)]
    return subprocess.run(command, input=yaml.safe_dump_all(documents), text=True, capture_output=True)


@pytest.fixture(scope="session")
def everything(applications, objects, environment) -> list[dict]:
    root = render.documents((render.GITOPS / "bootstrap" / f"{environment}.yaml").read_text())
    return [*root, *applications, *(o for them in objects.values() for o in them)]


@pytest.mark.parametrize("version", ["1.31", schemas.newest()])
def test_every_object_fits_its_schema(folder, version, everything):
    done = kubeconform(folder, version, everything)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Valid: {len(everything) - 1}" in done.stdout and "Skipped: 1" in done.stdout


def test_an_unknown_field_is_found(folder, everything):
    for kind, field in (("Deployment", "replica"), ("VirtualService", "hots"), ("ExternalSecret", "refresh"), ("Canary", "analisys")):
        wrong = next(o for o in everything if o["kind"] == kind)
        done = kubeconform(folder, "1.31", [{**wrong, "spec": {**wrong["spec"], field: 1}}])
        assert done.returncode != 0 and field in done.stdout, kind
