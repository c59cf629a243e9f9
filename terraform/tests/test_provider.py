"""The provider and the order of its operations that AWS accepts, checked from the files."""

import os
import re

import pytest

import tools
from roots import TERRAFORM, copy_tree, init, product_files
from tools import run


# Reads of attributes that version 6 of the provider deprecates and version 5 has under the same name, which `validate` does not
# report; and arguments whose meaning changes in version 6.
CHANGED_IN_VERSION_6 = {
    r"data\.aws_region\.\w+\.(name|description)\b": "aws_region.name is .region there; .id is the region's name in both",
    r"aws_s3_bucket\.\w+\.region\b": "the bucket's region is .bucket_region there",
    r"aws_eip\.\w+(\[[^]]*\])?\.vpc\b|^\s+vpc\s+=\s*true": "aws_eip has domain",
    r"^\s+region\s+= (?!var\.region$|data\.aws_region\.current\.id$|local\.region$|.us-east-1.$)": "region is an argument of every resource there",
    r"^\s+(inline_policy|managed_policy_arns)\b": "deprecated for aws_iam_role",
    r"^\s+(resolve_conflicts|log_group_name|elastic_gpu_specifications|elastic_inference_accelerator|character_set_name)\s+=(?! aws_cloudwatch_log_group)": "removed",
}


@pytest.mark.parametrize("pattern", CHANGED_IN_VERSION_6)
def test_nothing_is_used_that_version_6_of_the_provider_changed(pattern):
    found = {str(path): re.findall(pattern, path.read_text(), re.M) for path in product_files() if path.suffix == ".tf" and path.name != "backend.tf"}
    assert not any(found.values()), CHANGED_IN_VERSION_6[pattern]


def test_every_version_constraint_takes_version_6_and_no_later_one():
    found = {re.search(r'^ +version += "(.*)"', path.read_text(), re.M)[1] for path in TERRAFORM.rglob("versions.tf") if ".terraform" not in path.parts}
    assert found == {">= 5.100, < 7.0"}


@pytest.fixture(scope="module")
def graph(folder):
    """What each resource of an environment waits for, directly or not, when it is created; reversed when it is destroyed."""
    root = copy_tree(TERRAFORM, folder / "graph") / "environments/production"
    (root / "backend.tf").unlink()
    environment = os.environ | tools.terraform_environment()
    init(root, environment)
    edges = {}
    for start, end in re.findall(r'"module\.environment\.(\S+)" -> "module\.environment\.(\S+)"', run(["terraform", "graph"], cwd=root, env=environment)):
        edges.setdefault(start, set()).add(end)

    def behind(start):
        found, open_ends = set(), {start}
        while open_ends:
            found |= open_ends
            open_ends = set().union(*(edges.get(end, set()) for end in open_ends)) - found
        return found

    return behind


WAYS_OUT = ["aws_route.nat", "aws_internet_gateway.this", "aws_route_table_association.this", "aws_network_acl_rule.this", "aws_vpc_security_group_egress_rule.nodes_internet"]
NEEDED = {
    "edge.aws_lb.this": ["aws_internet_gateway.this", "aws_route.internet", "aws_network_acl_rule.this", "aws_vpc_security_group_ingress_rule.internet"],
    "cluster.aws_eks_node_group.this": [*WAYS_OUT, "aws_vpc_security_group_ingress_rule.flow", "aws_vpc_endpoint.s3", "aws_ec2_subnet_cidr_reservation.pods"],
    "secrets.aws_lambda_invocation.initialize": ["aws_vpc_endpoint.interface", "aws_network_acl_rule.this", "aws_vpc_security_group_egress_rule.flow", "aws_vpc_security_group_ingress_rule.flow"],
}  # fmt: skip


@pytest.mark.parametrize("resource", NEEDED)
def test_what_needs_a_way_out_waits_for_it_and_outlives_it_never(graph, resource):
    """AWS refuses a public load balancer without a gateway, and to detach its gateway; nodes without a route never join."""
    assert {f"module.network.{name}" for name in NEEDED[resource]} <= graph(f"module.{resource}")


def test_nodes_wait_for_what_makes_them_ready(graph):
    """The network plug-in, and kube-proxy, through which the plug-in reaches the cluster."""
    assert {f"module.cluster.aws_eks_addon.{name}" for name in ("kube_proxy", "vpc_cni")} <= graph("module.cluster.aws_eks_node_group.this")
