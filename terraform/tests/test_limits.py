"""Limits of node groups under the autoscaler: what EKS accepts, and what Terraform does. Node groups alone, on the double."""

import re
import shutil
import subprocess

import botocore.exceptions
import pytest

from conftest import TERRAFORM
from roots import PROVIDERS, Root

ROLE = "arn:aws:iam::123456789012:role/x"
VARIABLES = 'variable "sizes" { type = map(number) }\nvariable "subnet" { type = string }\n'
CALL = VARIABLES + 'module "%s" {\n  source = "./%s"\n  sizes  = var.sizes\n  subnet = var.subnet\n}\n'
GROUPS = VARIABLES + """resource "aws_eks_node_group" "this" {
  for_each               = toset(["a", "b"])
  cluster_name           = "limits"
  node_group_name_prefix = "${each.key}-"
  node_role_arn          = "%s"
  subnet_ids             = [var.subnet]
  scaling_config {
    min_size     = var.sizes["min"]
    desired_size = var.sizes["desired"]
    max_size     = var.sizes["max"]
  }
%s}
"""


@pytest.fixture(scope="module")
def subnet(client):
    """A subnet with a route out and a cluster in it."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.0.0/24")["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    client("eks").create_cluster(name="limits", version="1.35", roleArn=ROLE, resourcesVpcConfig={"subnetIds": [subnet]})
    return subnet


def test_a_minimum_above_the_nodes_that_there_are(client, subnet):
    """Refused, like a maximum below them; a desired size in the same request counts."""
    eks, group = client("eks"), {"clusterName": "limits", "nodegroupName": "x"}
    eks.create_nodegroup(**group, subnets=[subnet], nodeRole=ROLE, scalingConfig={"minSize": 1, "desiredSize": 2, "maxSize": 4})
    for limits in ({"minSize": 3}, {"maxSize": 1}, {"minSize": 3, "desiredSize": 2, "maxSize": 4}):
        with pytest.raises(botocore.exceptions.ClientError, match="InvalidParameterException"):
            eks.update_nodegroup_config(**group, scalingConfig=limits)
    eks.update_nodegroup_config(**group, scalingConfig={"minSize": 3, "desiredSize": 3})
    assert eks.describe_nodegroup(**group)["nodegroup"]["scalingConfig"] == {"minSize": 3, "desiredSize": 3, "maxSize": 4}
    eks.delete_nodegroup(**group)


class Groups:
    """Applied at the same address as an environment's node groups, with their `lifecycle`, beside the workflows' scripts."""

    def __init__(self, folder, aws, eks, subnet):
        self.scripts, self.eks, root = folder / "scripts", eks, folder / "terraform/environments/production"
        shutil.copytree(TERRAFORM.parent / "scripts", self.scripts)
        (root / "environment/cluster").mkdir(parents=True)
        (root / "main.tf").write_text(PROVIDERS["environments"] + CALL % ("environment", "environment"))
        (root / "environment/main.tf").write_text(CALL % ("cluster", "cluster"))
        lifecycle = re.search(r"^  lifecycle \{\n.*?^  \}\n", (TERRAFORM / "modules/cluster/nodes.tf").read_text(), re.M | re.S)[0]
        (root / "environment/cluster/main.tf").write_text(GROUPS.replace("%s", ROLE, 1).replace("%s", lifecycle))
        shutil.copy(TERRAFORM / "modules/environment/root/versions.tf", root)
        shutil.copy(TERRAFORM / "bootstrap/.terraform.lock.hcl", root)
        (root / "terraform.tfvars").write_text(f'subnet = "{subnet}"\nsizes = {{\n  min = 1\n  desired = 2\n  max = 4\n}}\n')
        (folder / "terraform/package").write_text("#!/bin/sh\n")
        (folder / "terraform/package").chmod(0o755)
        self.root = Root(folder / "terraform", "environments/production", aws)
        self.root.init()
        self.root.apply()

    def infrastructure(self, *arguments):
        done = subprocess.run([self.scripts / "infrastructure", *arguments], env=self.root.environment, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def found(self):
        names = self.eks.list_nodegroups(clusterName="limits")["nodegroups"]
        return [self.eks.describe_nodegroup(clusterName="limits", nodegroupName=name)["nodegroup"] for name in names]

    def scale(self, nodes):
        for group in self.found():
            self.eks.update_nodegroup_config(clusterName="limits", nodegroupName=group["nodegroupName"], scalingConfig={"desiredSize": nodes})

    def sizes(self):
        return {tuple(group["scalingConfig"][key] for key in ("minSize", "desiredSize", "maxSize")) for group in self.found()}


@pytest.fixture(scope="module")
def groups(folder, aws, client, subnet):
    return Groups(folder / "limits", aws, client("eks"), subnet)


def test_new_limits_leave_the_nodes_that_the_autoscaler_added(groups):
    """With the workflow's apply, which knows the number of the last apply."""
    groups.scale(3)
    groups.root.set(max=5)
    agreed = groups.infrastructure("plan", "production").splitlines()[-1].removeprefix("Changes: ")
    groups.infrastructure("apply", "production", agreed)
    assert groups.sizes() == {(1, 3, 5)}


def test_a_minimum_above_the_nodes_comes_after_them(groups):
    """After the command in docs/scale.md: EKS refuses it before that."""
    groups.scale(3)
    groups.root.set(min=4)
    said = groups.root.terraform("apply", "-no-color", "-auto-approve", accept=(1,))
    assert "Minimum capacity 4 can't be greater than desired size 3" in said.stderr
    groups.scale(4)
    groups.root.apply()
    assert {size[:2] for size in groups.sizes()} == {(4, 4)} and groups.root.plan_again() == ""
