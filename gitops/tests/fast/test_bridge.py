"""Terraform's values arrive where they are needed, and a missing or wrong value fails at the root."""

import json
import re

import pytest
import yaml

from lib import render


def test_nothing_made_up_is_left(objects):
    text = yaml.safe_dump_all([o for name, them in objects.items() if name != "projects" for o in them])
    assert "from-the-cluster-secret" not in text and "192.0.2.0" not in text


def test_no_arn_or_account_is_typed_by_hand():
    for file in render.GITOPS.rglob("*"):
        if file.suffix in (".yaml", ".tpl") and "tests" not in file.parts and file.name != "cluster-secret.example.yaml":
            assert "arn:aws:" not in file.read_text(), file


def test_the_database_is_the_only_address_outside_that_pods_may_reach(platform, bridge):
    policies = {name: o["spec"] for (kind, name), o in platform.items() if kind == "NetworkPolicy" and name.startswith("birthday-api/")}
    blocks = [t["ipBlock"]["cidr"] for spec in policies.values() for e in spec.get("egress", []) for t in e["to"] if "ipBlock" in t]
    assert blocks == bridge["database_subnet_cidrs"].split(",")
    ports = policies["birthday-api/database"]["egress"][0]["ports"]
    assert ports == [{"port": int(bridge["database_port"]), "protocol": "TCP"}]


def test_the_mesh_lets_out_to_the_replica_where_there_is_one(platform, bridge):
    entries = {name: o["spec"] for (kind, name), o in platform.items() if kind == "ServiceEntry"}
    wanted = {"birthday-api/database": bridge["database_host"], "birthday-api/database-replica": bridge["database_replica_host"]}
    assert {name: spec["hosts"] for name, spec in entries.items()} == {name: [host] for name, host in wanted.items() if host}
    # one listener each: two TCP services without an address on one port would share a listener
    addresses = [a for spec in entries.values() for a in spec["addresses"]]
    assert len(set(addresses)) == len(entries)


def test_every_name_of_the_bridge_is_required_and_used(bridge):
    schema = json.loads((render.GITOPS / "apps" / "values.schema.json").read_text())
    assert set(schema["properties"]["bridge"]["required"]) == bridge.keys()
    templates = "".join(file.read_text() for file in (render.GITOPS / "apps/templates").iterdir())
    assert [name for name in bridge if not re.search(rf"\.bridge\.{name}\b", templates)] == []
    with pytest.raises(SystemExit, match="vpc_id"):
        render.applications("production", {key: value for key, value in bridge.items() if key != "vpc_id"})


@pytest.mark.parametrize(("key", "value"), [("service_role_arn", "arn:aws:iam::1:user/x"), ("image_repository", "docker.io/x"), ("domain_name", "no dots")])
def test_a_wrong_name_is_refused(environment, bridge, key, value):
    with pytest.raises(SystemExit, match=key):
        render.applications(environment, {**bridge, key: value})


def test_an_environment_that_does_not_name_its_sizes_is_refused(environment, bridge):
    values = {"bridge": bridge, "repository": {"url": "x", "revision": "x"}}
    with pytest.raises(SystemExit, match="gateway"):
        render.helm("root", render.GITOPS / "apps", "argocd", values, [render.GITOPS / f"environments/{environment}/versions.yaml"])
