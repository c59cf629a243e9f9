"""Every object fits the schema of its kind, in the oldest Kubernetes version that the project supports and in the newest."""

import pytest

from lib import render, schemas

VERSIONS = ["1.31", schemas.newest()]
# Kubernetes publishes no strict schema for the first two, and no installable package contains the CRD of the third; the API server
# of tests/run cluster checks it.
WITHOUT_SCHEMA = {"CustomResourceDefinition", "APIService", "TargetGroupBinding"}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("schemas")
    schemas.write(out, VERSIONS)
    return out


@pytest.fixture(scope="session")
def everything(applications, objects, third_party) -> list[dict]:
    root = render.documents((render.GITOPS / "bootstrap" / "root.yaml").read_text())
    return [*root, *applications, *(o for them in [*objects.values(), *third_party.values()] for o in them)]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_fits_its_schema(folder, version, everything, tmp_path):
    """Schemas of Kubernetes, and of the CRDs that come with the charts."""
    schemas.custom_resources(everything, tmp_path)
    checked = [o for o in everything if o["kind"] not in WITHOUT_SCHEMA]
    done = schemas.check([tmp_path, folder], version, checked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Valid: {len(checked)}," in done.stdout and "Skipped: 0" in done.stdout


def test_an_unknown_field_is_found(folder, everything):
    for kind, field in (("Deployment", "replica"), ("VirtualService", "hots"), ("ExternalSecret", "refresh"), ("Canary", "analisys")):
        wrong = next(o for o in everything if o["kind"] == kind)
        done = schemas.check([folder], "1.31", [{**wrong, "spec": {**wrong["spec"], field: 1}}])
        assert done.returncode != 0 and field in done.stdout, kind
