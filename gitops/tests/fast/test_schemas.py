"""Every object fits the schema of its kind, on the oldest Kubernetes that the project starts from and on the newest."""

import pytest

from lib import render, schemas

# Its CRD is in no package that can be installed; the API server of tests/run cluster checks it.
WITHOUT_SCHEMA = "TargetGroupBinding"


@pytest.fixture(scope="session")
def everything(applications, objects) -> list[dict]:
    root = render.documents((render.GITOPS / "bootstrap" / "root.yaml").read_text())
    return [*root, *applications, *(o for them in objects.values() for o in them)]


@pytest.mark.parametrize("version", ["1.31", schemas.newest()])
def test_every_object_fits_its_schema(schema_folder, version, everything):
    done = schemas.check([schema_folder], version, everything, WITHOUT_SCHEMA)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Valid: {len(everything) - 1}" in done.stdout and "Skipped: 1" in done.stdout


def test_an_unknown_field_is_found(schema_folder, everything):
    for kind, field in (("Deployment", "replica"), ("VirtualService", "hots"), ("ExternalSecret", "refresh"), ("Canary", "analisys")):
        wrong = next(o for o in everything if o["kind"] == kind)
        done = schemas.check([schema_folder], "1.31", [{**wrong, "spec": {**wrong["spec"], field: 1}}], WITHOUT_SCHEMA)
        assert done.returncode != 0 and field in done.stdout, kind
