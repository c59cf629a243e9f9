"""Production on the AWS double: a clean plan, then upgrades and changes, from older versions of Kubernetes and PostgreSQL."""

import json
import shutil
import subprocess
import threading
import urllib.request
import zipfile

import pytest
from botocore.exceptions import ClientError

from conftest import OLD, TERRAFORM

WANTED = (TERRAFORM / "environments/production/terraform.tfvars").read_text()
DATABASE, CLUSTER = "-target=module.environment.module.database", "-target=module.environment.module.cluster"
STATEFUL = {
    "aws_db_instance", "aws_eks_cluster", "aws_kms_key", "aws_secretsmanager_secret", "aws_vpc", "aws_subnet", "aws_lb",
    "aws_eks_node_group", "aws_cloudwatch_log_group", "aws_db_parameter_group", "aws_eks_addon",
}  # fmt: skip


def changes(plan):
    """(address, type, actions) of each change in a plan."""
    return [
        (change["address"], change["type"], change["change"]["actions"])
        for change in plan["resource_changes"]
        if change["change"]["actions"] not in (["no-op"], ["read"])
    ]


def replaced(done):
    return [address for address, kind, actions in done if kind in STATEFUL and "delete" in actions]


def secret_value(client, name, stage="AWSCURRENT"):
    return json.loads(client("secretsmanager").get_secret_value(SecretId=name, VersionStage=stage)["SecretString"])


def test_second_plan_is_clean(production):
    assert production.plan_again() == ""


def test_a_plan_reads_no_secret(production, folder):
    """The plan role may not read them. A refresh would, so its plans compare with the state as it is."""
    log = folder / "double.log"
    before = log.read_text().count("GetSecretValue")
    assert before > 0, "applying reads the master secret"
    production.plan("-refresh=false")
    assert log.read_text().count("GetSecretValue") == before


def test_no_password_is_in_state_or_plan(production, client):
    production.plan()
    with zipfile.ZipFile(production.folder / "saved.tfplan") as archive:
        planned = b"".join(archive.read(name) for name in archive.namelist()).decode(errors="replace")
    shown = production.terraform("show", "-json", "saved.tfplan").stdout
    state = production.state()
    found = [(secret["Name"], secret_value(client, secret["Name"])) for secret in client("secretsmanager").list_secrets()["SecretList"]]
    assert len(found) == 3
    for name, value in found:
        assert name in state, "what is looked through holds the secret's name"
        assert len(value["password"]) >= 32
        for place, text in (("state", state), ("plan", planned), ("shown plan", shown)):
            assert value["password"] not in text, f"the password of {name} is in the {place}"


def test_database_and_secret_have_the_same_master_password(production, client, aws):
    """Even though the first apply stopped between the two."""
    assert master_password(client, "production") == database_password(aws, "birthday-production")


def master_password(client, environment, stage="AWSCURRENT"):
    return secret_value(client, f"birthday-{environment}/database/master", stage)["password"]


def database_password(aws, name):
    """The double returns it, AWS never would."""
    with urllib.request.urlopen(f"{aws['AWS_ENDPOINT_URL']}/moto-api/master-password/{name}", timeout=10) as answer:
        return answer.read().decode()


# ------------------------------------------------------------------ drift


@pytest.fixture(scope="module")
def infrastructure(production, folder):
    """What the workflows run."""
    scripts = shutil.copytree(TERRAFORM.parent / "scripts", folder / "scripts")
    return lambda *arguments: subprocess.run([scripts / "infrastructure", *arguments], env=production.environment, text=True, capture_output=True)


@pytest.fixture(scope="module")
def groups(production, client):
    """The node groups' limits as EKS has them: (minimum, nodes, maximum) of each. Changes them first if sizes are given."""
    eks, cluster = client("eks"), {"clusterName": "birthday-production"}

    def groups(**sizes):
        names = eks.list_nodegroups(**cluster)["nodegroups"]
        for name in names if sizes else []:
            eks.update_nodegroup_config(**cluster, nodegroupName=name, scalingConfig=sizes)
        found = [eks.describe_nodegroup(**cluster, nodegroupName=name)["nodegroup"]["scalingConfig"] for name in names]
        return {(size["minSize"], size["desiredSize"], size["maxSize"]) for size in found}

    return groups


def test_what_moves_by_itself_is_no_drift(infrastructure, groups):
    """The database's latest restorable time always moves; the autoscaler changes the number of nodes."""
    groups(desiredSize=3)
    done = infrastructure("drift", "production")
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_minimum_above_the_nodes_that_there_are(groups):
    """Refused, like a maximum below them; a desired size in the same request counts."""
    for limits in ({"minSize": 4}, {"maxSize": 2}, {"minSize": 3, "desiredSize": 2}):
        with pytest.raises(ClientError, match="InvalidParameterException"):
            groups(**limits)


def test_new_limits_leave_the_nodes_that_the_autoscaler_added(production, infrastructure, groups):
    """With the workflow's apply, which knows the number of the last apply."""
    production.set(max=5)
    agreed = infrastructure("plan", "production").stdout.splitlines()[-1].removeprefix("Changes: ")
    done = infrastructure("apply", "production", agreed)
    assert done.returncode == 0, done.stderr[-3000:]
    assert groups() == {(1, 3, 5)}


def test_a_minimum_above_the_nodes_comes_after_them(production, groups):
    """After the command in docs/scale.md: EKS refuses it before that."""
    production.set(min=4, desired=4)
    said = production.terraform("apply", "-no-color", "-auto-approve", CLUSTER, accept=(1,))
    assert "Minimum capacity 4 can't be greater than desired size 3" in said.stderr
    groups(desiredSize=4)
    production.apply(CLUSTER)
    assert groups() == {(4, 4, 5)} and production.plan_again() == ""


def test_a_rule_that_was_changed_by_hand_is_drift(production, infrastructure, client):
    rule = production.stack().one("aws_vpc_security_group_ingress_rule", '"http"')
    by_hand = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIpv4": "8.8.8.0/24"}
    changed = [{"SecurityGroupRuleId": rule["security_group_rule_id"], "SecurityGroupRule": by_hand}]
    client("ec2").modify_security_group_rules(GroupId=rule["security_group_id"], SecurityGroupRules=changed)
    done = infrastructure("drift", "production")
    assert done.returncode == 1, done.stderr[-3000:]
    assert 'aws_vpc_security_group_ingress_rule.internet["http"]' in done.stderr.splitlines()[-1], done.stderr[-3000:]
    production.apply("-target=module.environment.module.network.aws_vpc_security_group_ingress_rule.internet")


# ------------------------------------------------------------------ day two


def test_kubernetes_is_upgraded_in_place(production):
    production.set(kubernetes_version="1.35", kube_proxy="v1.35.0-eksbuild.2", release_version="1.35.4-20260512")
    done = changes(production.plan("-refresh=false"))
    assert {kind for _, kind, _ in done} == {"aws_eks_cluster", "aws_eks_node_group", "aws_eks_addon"}
    assert {tuple(actions) for _, _, actions in done} == {("update",)}
    production.apply_plan()
    assert production.stack().one("aws_eks_cluster")["version"] == "1.35"


def test_nodes_of_another_type_are_there_before_the_old_ones_go(production, client):
    """Every zone has a node group at all times, and the nodes get their new release."""
    (production.folder / "terraform.tfvars").write_text(WANTED)
    production.set(**OLD | {"kubernetes_version": "1.35", "kube_proxy": "v1.35.0-eksbuild.2", "release_version": "1.35.7-20260903"}, instance_types=["m7i.xlarge"])
    done = changes(production.plan(CLUSTER))
    assert {tuple(actions) for _, kind, actions in done if kind == "aws_eks_node_group"} == {("create", "delete")}
    seen, ended = [], threading.Event()

    def watch():
        while not ended.wait(0.2):
            seen.append({name[:10] for name in client("eks").list_nodegroups(clusterName="birthday-production")["nodegroups"]})

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        production.apply_plan()
    finally:
        ended.set()
        watcher.join()
    assert len(seen) > 5 and set(map(len, seen)) == {3}
    assert {group["release_version"] for group in production.stack().all("aws_eks_node_group")} == {"1.35.7-20260903"}


def versions(production):
    return [production.stack().one("aws_db_instance", name)["engine_version"] for name in ("primary", "replica")]


def test_a_minor_upgrade_of_the_database_goes_by_way_of_its_replica(production):
    production.set(engine_version="18.1")
    said = production.terraform("apply", "-auto-approve", "-no-color", "-refresh=false", DATABASE, accept=(1,))
    assert "DBUpgradeDependencyFailure" in said.stdout + said.stderr
    production.set(engine_version="18.0", replica_engine_version="18.1")
    production.apply(DATABASE)
    assert versions(production) == ["18.0", "18.1"]
    production.set(engine_version="18.1", replica_engine_version=None)
    production.apply(DATABASE)
    assert versions(production) == ["18.1", "18.1"]


def test_what_is_not_applied_immediately_stays_in_the_plan(production):
    """It stays until the maintenance window, so production applies immediately and its plan is clean afterwards."""
    production.set(apply_immediately=False, instance_class="db.m7g.large")
    production.apply(DATABASE)
    assert {kind for _, kind, _ in changes(production.plan(DATABASE))} == {"aws_db_instance"}


def test_scaling_and_new_passwords_replace_nothing(production, client, aws):
    """From here on with the repository's values: instance class, node type, and a new master password."""
    before = production.stack()
    (production.folder / "terraform.tfvars").write_text(WANTED)
    production.set(master_password_version=2)
    old_password = master_password(client, "production")

    done = changes(production.plan())
    assert {"aws_db_instance", "aws_secretsmanager_secret_version"} <= {kind for _, kind, _ in done}
    assert {address for address in replaced(done) if "node_group" not in address} == set()
    production.apply_plan()

    after = production.stack()
    for name in ("primary", "replica"):
        assert after.one("aws_db_instance", name)["instance_class"] == "db.m7g.large"
        assert after.one("aws_db_instance", name)["id"] == before.one("aws_db_instance", name)["id"]
    password = master_password(client, "production")
    assert password != old_password
    assert master_password(client, "production", "AWSPREVIOUS") == old_password, "the former version is kept"
    assert database_password(aws, "birthday-production") == password
    assert production.plan_again() == ""


def test_replacing_something_stateful_would_be_noticed(production):
    done = changes(production.plan("-refresh=false", "-replace=module.environment.module.database.aws_db_instance.replica[0]"))
    assert replaced(done) == ["module.environment.module.database.aws_db_instance.replica[0]"]
