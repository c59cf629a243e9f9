"""The environments against the AWS double: applied, planned clean, changed in place, destroyed.

Production goes the whole way, from Kubernetes 1.31 up to the version it runs. Staging is
planned; with --every-environment it is applied as well.
"""

import copy
import fnmatch
import json
import time
import urllib.request
import zipfile

import pytest

from conftest import TERRAFORM, summary
from roots import Root
from rules import RULES
from stack import Stack, listed, statements

# Where the upgrade starts, and the add-ons that go with it.
OLDEST = 31
ADDONS_OF_OLDEST = {"vpc_cni": "v1.19.2-eksbuild.1", "coredns": "v1.11.4-eksbuild.2", "ebs_csi": "v1.38.1-eksbuild.1"}

STATEFUL = {
    "aws_db_instance", "aws_eks_cluster", "aws_kms_key", "aws_secretsmanager_secret", "aws_vpc", "aws_subnet", "aws_lb",
    "aws_eks_node_group", "aws_cloudwatch_log_group", "aws_db_parameter_group", "aws_eks_addon",
}  # fmt: skip


def applied(tree, aws, environment, **start):
    root = Root(tree, f"environments/{environment}", aws)
    root.init()
    root.set(**start)
    # As if the first apply had stopped right after the master password was kept.
    root.apply("-target=module.secrets.aws_secretsmanager_secret_version.master")
    began = time.monotonic()
    root.apply()
    stack = root.stack()
    minutes = (time.monotonic() - began) / 60
    summary(f"{environment}: {len(stack.resources)} resources of {len(stack.types())} types, applied in {minutes:.1f} min")
    return root


@pytest.fixture(scope="module")
def production(tree, aws, bootstrap):
    return applied(
        tree, aws, "production",
        kubernetes_version=f"1.{OLDEST}", kube_proxy=f"v1.{OLDEST}.0-eksbuild.1", **ADDONS_OF_OLDEST,
        instance_class="db.t4g.large", master_password_version=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def wanted():
    return TERRAFORM / "environments/production/terraform.tfvars"


def secret_value(client, name, stage="AWSCURRENT"):
    return json.loads(client("secretsmanager").get_secret_value(SecretId=name, VersionStage=stage)["SecretString"])


def secret_values(client):
    for secret in client("secretsmanager").list_secrets()["SecretList"]:
        yield secret["Name"], secret_value(client, secret["Name"])


def changes(plan):
    """(address, type, actions) of what a plan does."""
    return [
        (change["address"], change["type"], change["change"]["actions"])
        for change in plan["resource_changes"]
        if change["change"]["actions"] not in (["no-op"], ["read"])
    ]


def replaced(done):
    return [address for address, kind, actions in done if kind in STATEFUL and "delete" in actions]


def test_second_plan_is_clean(production):
    assert production.plan_again() == ""


def test_a_plan_reads_no_secret(production, folder):
    """The plan role may not. A refresh would read them, so its plans compare with the state as it is."""
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
    found = list(secret_values(client))
    assert len(found) == 3
    for name, value in found:
        assert name in state, "what is looked through holds the secret's name"
        assert len(value["password"]) >= 32
        for place, text in (("state", state), ("plan", planned), ("shown plan", shown)):
            assert value["password"] not in text, f"the password of {name} is in the {place}"


def test_database_and_secret_have_the_same_master_password(production, client, aws):
    """Though the first apply was stopped between the two."""
    assert master_password(client, "production") == database_password(aws, "birthday-production")


def master_password(client, environment, stage="AWSCURRENT"):
    return secret_value(client, f"birthday-{environment}/database/master", stage)["password"]


def database_password(aws, name):
    """The double says it, AWS never would."""
    with urllib.request.urlopen(f"{aws['AWS_ENDPOINT_URL']}/moto-api/master-password/{name}", timeout=10) as answer:
        return answer.read().decode()


def test_kubernetes_is_upgraded_in_place(production):
    production.set(kubernetes_version=f"1.{OLDEST + 1}", kube_proxy=f"v1.{OLDEST + 1}.0-eksbuild.1")
    done = changes(production.plan("-refresh=false"))
    assert {kind for _, kind, _ in done} == {"aws_eks_cluster", "aws_eks_node_group", "aws_eks_addon"}
    assert {tuple(actions) for _, _, actions in done} == {("update",)}
    production.apply_plan()
    assert production.stack().one("aws_eks_cluster")["version"] == f"1.{OLDEST + 1}"


@pytest.mark.parametrize("minor", range(OLDEST + 2, 36))
def test_every_further_minor_version_is_one_step(production, minor):
    production.set(kubernetes_version=f"1.{minor}", kube_proxy=f"v1.{minor}.0-eksbuild.1")
    said = production.apply("-refresh=false")
    assert "Apply complete! Resources: 0 added, 5 changed, 0 destroyed." in said, said[-300:]


def test_two_minors_at_once_are_refused(production):
    production.set(kubernetes_version="1.37", kube_proxy="v1.37.0-eksbuild.1")
    done = production.terraform("apply", "-auto-approve", "-no-color", "-refresh=false", accept=(1,))
    assert "Unsupported Kubernetes minor version update" in done.stdout + done.stderr


def test_scaling_and_new_passwords_replace_nothing(production, wanted, client, aws):
    """From here on with the values of the repository: instance class, add-ons, and a new master password."""
    before = production.stack()
    (production.folder / "terraform.tfvars").write_text(wanted.read_text())
    production.set(master_password_version=2)
    old_password = master_password(client, "production")

    # With a refresh: the state still says what the refused upgrade wanted.
    done = changes(production.plan())
    assert {"aws_db_instance", "aws_eks_addon", "aws_secretsmanager_secret_version"} <= {kind for _, kind, _ in done}
    assert replaced(done) == []
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
    done = changes(production.plan("-refresh=false", "-replace=module.database.aws_db_instance.replica[0]"))
    assert replaced(done) == ["module.database.aws_db_instance.replica[0]"]


@pytest.fixture(scope="module")
def made(production):
    return production.stack()


@pytest.mark.parametrize("name", RULES)
def test_rule_holds(made, name):
    RULES[name](made)


@pytest.mark.parametrize(
    ("name", "index"), [(name, index) for name, rule in RULES.items() for index in range(len(rule.broken_by))]
)
def test_rule_notices_its_violation(made, name, index):
    broken = copy.deepcopy(made)
    RULES[name].broken_by[index](broken)
    with pytest.raises((AssertionError, KeyError, TypeError, IndexError)):
        RULES[name](broken)


def test_the_boundary_lets_every_role_do_its_work(made, bootstrap):
    """AWS allows what policy and boundary both allow: what only the policy names would silently not work."""
    [allowed] = [
        listed(statement["Action"])
        for statement in statements(bootstrap.stack().one("aws_iam_policy")["policy"])
        if statement["Sid"] == "Workloads"
    ]
    for address, found in made.policies():
        for statement in found:
            if statement["Effect"] == "Allow":
                for action in listed(statement["Action"]):
                    assert any(fnmatch.fnmatchcase(action, pattern) for pattern in allowed), f"{address}: {action}"


# ------------------------------------------------------------------ staging


@pytest.fixture(scope="module")
def staging(tree, aws, bootstrap, request):
    if request.config.getoption("--every-environment"):
        root = applied(tree, aws, "staging")
        return root, root.stack()
    root = Root(tree, "environments/staging", aws)
    root.init()
    stack = Stack(root.plan())
    summary(f"staging: {len(stack.resources)} resources of {len(stack.types())} types, planned")
    return root, stack


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.planned])
def test_rule_holds_in_staging(staging, name):
    RULES[name](staging[1])


def test_staging_is_cheaper_by_its_values(staging):
    stack = staging[1]
    assert len(stack.all("aws_nat_gateway")) == 1
    assert len(stack.all("aws_db_instance")) == 1 and not stack.one("aws_db_instance")["multi_az"]
    assert len(stack.all("aws_vpc_endpoint", "interface")) == 1
    assert len(stack.all("aws_eks_node_group")) == 3


def test_staging_plans_clean(staging, request):
    if not request.config.getoption("--every-environment"):
        pytest.skip("staging is planned only: terraform/tests/run all applies it")
    assert staging[0].plan_again() == ""


# ------------------------------------------------------------------ the end


def destroyed(root):
    root.set(deletion_protection=False)
    began = time.monotonic()
    root.apply()
    root.destroy()
    assert root.stack_is_empty()
    summary(f"{root.name.split('/')[-1]}: destroyed in {(time.monotonic() - began) / 60:.1f} min")


def test_everything_can_be_destroyed(production, staging, bootstrap, client, request):
    destroyed(production)
    if request.config.getoption("--every-environment"):
        destroyed(staging[0])
    destroyed(bootstrap)

    assert client("eks").list_clusters()["clusters"] == []
    assert client("rds").describe_db_instances()["DBInstances"] == []
    assert client("elbv2").describe_load_balancers()["LoadBalancers"] == []
    assert client("logs").describe_log_groups()["logGroups"] == []
    assert client("s3").list_buckets()["Buckets"] == []
    assert client("route53").list_hosted_zones()["HostedZones"] == []
    vpcs = client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]
    assert vpcs == []
    roles = [role["RoleName"] for role in client("iam").list_roles()["Roles"]]
    assert [name for name in roles if name.startswith("birthday")] == []
