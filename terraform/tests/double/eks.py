"""EKS: fields that moto's clusters lack, and add-ons, access entries and updates, which moto does not know."""

import random
import uuid
from datetime import datetime, timezone

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import ec2_backends
from moto.eks import urls
from moto.eks.exceptions import ResourceInUseException, ResourceNotFoundException
from moto.eks.responses import EKSResponse

from . import instead
from .refusals import next_version, nodes_can_join, public_addresses, release_fits

PATHS = (
    "addons$", "addons/(?P<addonName>[^/]+)$", "addons/(?P<addonName>[^/]+)/update$", "updates$", "updates/(?P<updateId>[^/]+)$",
    "node-groups/(?P<nodegroupName>[^/]+)/update-version$", "access-entries$", "access-entries/(?P<principalArn>.+)$",
)  # fmt: skip


def now():
    return datetime.now(timezone.utc)


def arn(call, kind, *parts):
    return f"arn:aws:eks:{call.region}:{call.current_account}:{kind}/" + "/".join(parts)


def cluster_of(call):
    name = call._get_param("clusterName") or call._get_param("name")
    return call.eks_backend.describe_cluster(name=name)


def ec2(call):
    return ec2_backends[call.current_account][call.region]


# ------------------------------------------------------------------ clusters and nodes


@instead(EKSResponse, "create_cluster")
def _(create, self):
    public_addresses(self._get_param("resourcesVpcConfig"))
    answer = create(self)
    cluster = self.eks_backend.clusters[self._get_param("name")]
    access = self._get_param("accessConfig") or {}
    cluster.access_config = {"authenticationMode": access.get("authenticationMode", "CONFIG_MAP")}
    cluster.upgrade_policy = self._get_param("upgradePolicy") or {"supportType": "EXTENDED"}
    cluster.addons, cluster.access = {}, {}

    # AWS creates a security group for every cluster.
    network = cluster.resources_vpc_config
    vpc_id = ec2(self).get_subnet(network["subnetIds"][0]).vpc_id
    group = ec2(self).create_security_group(f"eks-cluster-sg-{cluster.name}-{random.randint(1, 10**9)}", "EKS created security group", vpc_id=vpc_id)
    network.update(vpcId=vpc_id, clusterSecurityGroupId=group.group_id)
    return answer


@instead(EKSResponse, "delete_cluster")
def _(delete, self):
    cluster = cluster_of(self)
    answer = delete(self)
    ec2(self).delete_security_group(group_id=cluster.resources_vpc_config["clusterSecurityGroupId"])
    return answer


@instead(EKSResponse, "create_nodegroup")
def _(create, self):
    release_fits(self._get_param("version"), self._get_param("releaseVersion"))
    nodes_can_join(self.current_account, self.region, self._get_param("subnets"))
    answer = create(self)
    group = cluster_of(self).nodegroups[self._get_param("nodegroupName")]
    group.remote_access = self._get_param("remoteAccess")
    if group.remote_access is None:
        group.resources.pop("remoteAccessSecurityGroup", None)
    group.update_config = self._get_param("updateConfig") or {"maxUnavailable": 1}
    group.node_repair_config = self._get_param("nodeRepairConfig")
    if group.launch_template and not self._get_param("diskSize"):
        group.disk_size = None
    group.release_version = self._get_param("releaseVersion") or f"{group.version}.0-20250101"
    return answer


def update(kind, update_id=None):
    parts = {"id": update_id or str(uuid.uuid4()), "status": "Successful", "type": kind}
    return ActionResult({"update": parts | {"params": [], "createdAt": now(), "errors": []}})


ADDON_SETTINGS = ("addonVersion", "serviceAccountRoleArn", "configurationValues")


def addon_of(call):
    cluster, name = cluster_of(call), call._get_param("addonName")
    if name not in cluster.addons:
        raise ResourceNotFoundException(message=f"No addon: {name} found in cluster: {cluster.name}")
    return cluster, name


def access_of(call):
    cluster, principal = cluster_of(call), call._get_param("principalArn")
    if principal not in cluster.access:
        raise ResourceNotFoundException(message="The specified principalArn could not be found.")
    return cluster, principal


class Calls:
    """API calls that moto lacks, or accepts without storing their arguments."""

    def describe_update(self):
        return update("VersionUpdate", self._get_param("updateId"))

    def update_cluster_config(self):
        cluster = cluster_of(self)
        public_addresses(self._get_param("resourcesVpcConfig"))
        if self._get_param("logging"):
            cluster.logging = self._get_param("logging")
        for key, known in (("accessConfig", cluster.access_config), ("resourcesVpcConfig", cluster.resources_vpc_config)):
            known.update(self._get_param(key) or {})
        cluster.upgrade_policy = self._get_param("upgradePolicy") or cluster.upgrade_policy
        return update("ConfigUpdate")

    def update_cluster_version(self):
        cluster, wanted = cluster_of(self), self._get_param("version")
        next_version(cluster.version, wanted)
        cluster.version = wanted
        return update("VersionUpdate")

    def update_nodegroup_version(self):
        group = cluster_of(self).nodegroups[self._get_param("nodegroupName")]
        version = self._get_param("version") or group.version
        release_fits(version, self._get_param("releaseVersion"))
        group.version = version
        group.release_version = self._get_param("releaseVersion") or group.release_version
        group.launch_template.update(self._get_param("launchTemplate") or {})
        return update("VersionUpdate")

    def create_addon(self):
        cluster, name = cluster_of(self), self._get_param("addonName")
        if name in cluster.addons:
            raise ResourceInUseException(message="Addon already exists.")
        given = {key: self._get_param(key) for key in (*ADDON_SETTINGS, "tags") if self._get_param(key) is not None}
        own = {"addonName": name, "clusterName": cluster.name, "status": "ACTIVE", "health": {"issues": []}, "createdAt": now(), "modifiedAt": now()}
        cluster.addons[name] = own | given | {"addonArn": arn(self, "addon", cluster.name, name, str(uuid.uuid4()))}
        return ActionResult({"addon": cluster.addons[name]})

    def describe_addon(self):
        cluster, name = addon_of(self)
        return ActionResult({"addon": cluster.addons[name]})

    def delete_addon(self):
        cluster, name = addon_of(self)
        return ActionResult({"addon": cluster.addons.pop(name)})

    def update_addon(self):
        cluster, name = addon_of(self)
        for key in ADDON_SETTINGS:
            if self._get_param(key) is not None:
                cluster.addons[name][key] = self._get_param(key)
        return update("AddonUpdate")

    def create_access_entry(self):
        cluster, principal = cluster_of(self), self._get_param("principalArn")
        if principal in cluster.access:
            raise ResourceInUseException(message="The specified access entry resource is already in use on this cluster.")
        entry = {"clusterName": cluster.name, "principalArn": principal, "createdAt": now(), "modifiedAt": now()}
        entry |= {"accessEntryArn": arn(self, "access-entry", cluster.name, principal.split("/")[-1], str(uuid.uuid4()))}
        for key, default in {"kubernetesGroups": [], "tags": {}, "username": principal, "type": "STANDARD"}.items():
            entry[key] = self._get_param(key) or default
        cluster.access[principal] = {"entry": entry, "policies": {}}
        return ActionResult({"accessEntry": entry})

    def describe_access_entry(self):
        cluster, principal = access_of(self)
        return ActionResult({"accessEntry": cluster.access[principal]["entry"]})

    def delete_access_entry(self):
        cluster, principal = access_of(self)
        cluster.access.pop(principal)
        return EmptyResult()

    def associate_access_policy(self):
        cluster, principal = access_of(self)
        policy = {"policyArn": self._get_param("policyArn"), "accessScope": self._get_param("accessScope")}
        policy |= {"associatedAt": now(), "modifiedAt": now()}
        cluster.access[principal]["policies"][policy["policyArn"]] = policy
        return ActionResult({"clusterName": cluster.name, "principalArn": principal, "associatedAccessPolicy": policy})

    def disassociate_access_policy(self):
        cluster, principal = access_of(self)
        cluster.access[principal]["policies"].pop(self._get_param("policyArn"), None)
        return EmptyResult()

    def list_associated_access_policies(self):
        cluster, principal = access_of(self)
        policies = list(cluster.access[principal]["policies"].values())
        return ActionResult({"clusterName": cluster.name, "principalArn": principal, "associatedAccessPolicies": policies})


for name, function in vars(Calls).items():
    if not name.startswith("_"):
        setattr(EKSResponse, name, function)
for path in PATHS:
    urls.url_paths["{0}/clusters/(?P<name>[^/]+)/" + path] = urls.response.dispatch
