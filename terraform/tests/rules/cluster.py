"""EKS: control plane, nodes, add-ons."""

import json

from . import change, edit, remove, rule


@rule(change("aws_eks_cluster", version="1.31"), planned=True)
def kubernetes_in_standard_support(stack):
    cluster = stack.one("aws_eks_cluster")
    assert int(cluster["version"].split(".")[1]) >= 35
    assert cluster["upgrade_policy"][0]["support_type"] == "STANDARD"


@rule(
    change("aws_eks_node_group", subnet_ids=["elsewhere"]),
    remove("aws_eks_node_group", count=1),
    change("aws_eks_node_group", scaling_config__min_size=0),
    change("aws_eks_node_group", node_repair_config__enabled=False),
)
def nodes_in_every_zone(stack):
    application = {subnet["id"]: subnet["availability_zone"] for subnet in stack.all("aws_subnet", '"application-')}
    zones = [application.get(subnet, "") for group in stack.all("aws_eks_node_group") for subnet in group["subnet_ids"]]
    assert sorted(zones) == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    for group in stack.all("aws_eks_node_group"):
        assert group["scaling_config"][0]["min_size"] >= 1
        assert group["node_repair_config"][0]["enabled"]
        assert group["scaling_config"][0]["max_size"] > group["scaling_config"][0]["min_size"], "no room to scale"


@rule(change("aws_eks_node_group", release_version="1.34.1-20250101"), planned=True)
def nodes_have_a_release_of_their_own(stack):
    version = stack.one("aws_eks_cluster")["version"]
    assert all(group["release_version"].startswith(f"{version}.") for group in stack.all("aws_eks_node_group"))


@rule(change("aws_eks_cluster", access_config__bootstrap_cluster_creator_admin_permissions=True), planned=True)
def cluster_access_by_entries(stack):
    access = stack.one("aws_eks_cluster")["access_config"][0]
    assert access["authentication_mode"] == "API"
    assert not access["bootstrap_cluster_creator_admin_permissions"]
    assert len(stack.all("aws_eks_access_entry")) == 1


@rule(edit("aws_eks_addon", "vpc_cni", configuration_values=("enableNetworkPolicy", "disableNetworkPolicy")), remove("aws_eks_addon", "coredns"), planned=True)
def addons(stack):
    found = {addon["addon_name"]: addon for addon in stack.all("aws_eks_addon")}
    assert set(found) == {"vpc-cni", "coredns", "kube-proxy", "aws-ebs-csi-driver"}
    assert all("eksbuild" in addon["addon_version"] for addon in found.values())
    assert json.loads(found["vpc-cni"]["configuration_values"])["enableNetworkPolicy"] == "true"


@rule(
    edit("aws_launch_template", tag_specifications=('"Project"', '"Name"')),
    edit("aws_eks_addon", "ebs_csi", configuration_values=('"Project"', '"Name"')),
    planned=True,
)
def nodes_and_volumes_have_the_tags_of_the_bill(stack):
    """docs/runbooks/cost-control.md and tear-down.md ask by tag."""
    template = stack.one("aws_launch_template")
    tagged = {found["resource_type"]: found["tags"] for found in template["tag_specifications"]}
    tagged["claim"] = json.loads(stack.one("aws_eks_addon", "ebs_csi")["configuration_values"])["controller"]["extraVolumeTags"]
    assert set(tagged) == {"instance", "volume", "claim"}
    assert "Project" in template["tags_all"] and all(template["tags_all"].items() <= tags.items() for tags in tagged.values())
