"""Requests that AWS refuses and moto accepts, each with AWS's own error code; docs/real-aws.md has the sources."""

import ipaddress
import json
import re

from moto.core.exceptions import JsonRESTError
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.internet_gateways import InternetGatewayBackend
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.eks.exceptions import InvalidParameterException, InvalidRequestException
from moto.eks.models import EKSBackend
from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, elbv2_backends
from moto.iam.models import iam_backends
from moto.kms.models import KmsBackend
from moto.rds.exceptions import RDSClientError
from moto.rds.models import RDSBackend

from . import instead


def before(owner, name):
    """Decorator: runs the function before a method, with its arguments; the function refuses by raising."""

    def wrap(check):
        @instead(owner, name)
        def _(method, *args, **given):
            check(*args, **given)
            return method(*args, **given)

    return wrap


# ------------------------------------------------------------------ KMS


def principals_exist(backend, policy):
    roles = {role.arn for role in iam_backends[backend.account_id]["aws"].roles.values()}
    for statement in json.loads(policy)["Statement"]:
        named = (statement.get("Principal") or {}).get("AWS", []) if isinstance(statement.get("Principal"), dict) else []
        for principal in [named] if isinstance(named, str) else named:
            if ":role/" in principal and principal not in roles:
                raise JsonRESTError("MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals.")


@before(KmsBackend, "create_key")
def _(self, policy, *args, **given):
    principals_exist(self, policy or '{"Statement": []}')


@before(KmsBackend, "put_key_policy")
def _(self, key_id, policy):
    principals_exist(self, policy)


# ------------------------------------------------------------------ network and load balancer


def gateway_of(ec2, vpc_id):
    return next((gateway for gateway in ec2.internet_gateways.values() if gateway.vpc and gateway.vpc.id == vpc_id), None)


@before(ELBv2Backend, "create_load_balancer")
def _(self, name, security_groups, subnet_ids, *args, scheme=None, **given):
    if len(name) > 32:
        raise ELBClientError("ValidationError", f"The load balancer name '{name}' cannot be longer than '32' characters")
    vpc_id = self.ec2_backend.get_subnet(subnet_ids[0]).vpc_id
    if scheme != "internal" and not gateway_of(self.ec2_backend, vpc_id):
        raise ELBClientError("InvalidSubnet", f"VPC {vpc_id} has no internet gateway")


@before(InternetGatewayBackend, "detach_internet_gateway")
def _(self, gateway_id, vpc_id):
    balancers = elbv2_backends[self.account_id][self.region_name].load_balancers.values()
    addresses = [gateway for gateway in self.nat_gateways.values() if gateway.vpc_id == vpc_id and gateway.state == "available"]
    if addresses or any(balancer.vpc_id == vpc_id for balancer in balancers):
        raise EC2ClientError(
            "DependencyViolation", f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
        )


@before(NatGatewayBackend, "create_nat_gateway")
def _(self, subnet_id, *args, **given):
    vpc_id = self.get_subnet(subnet_id).vpc_id
    if not gateway_of(self, vpc_id):
        raise EC2ClientError("Gateway.NotAttached", f"Network {vpc_id} has no Internet gateway attached")


# ------------------------------------------------------------------ EKS


def public_addresses(network):
    reserved = [cidr for cidr in (network or {}).get("publicAccessCidrs") or [] if cidr != "0.0.0.0/0" and not ipaddress.ip_network(cidr).is_global]
    if reserved:
        raise InvalidParameterException(message=f"The following CIDRs are invalid in publicAccessCidrs: {reserved}")


def release_fits(version, release):
    if release and version and not release.startswith(f"{version}."):
        raise InvalidParameterException(message=f"Requested release version {release} is not valid for kubernetes version {version}.")


def next_version(version, wanted):
    """One minor version at a time, and never back."""
    if int(wanted.split(".")[1]) - int(version.split(".")[1]) != 1:
        raise InvalidParameterException(message=f"Unsupported Kubernetes minor version update from {version} to {wanted}")


def nodes_can_join(account_id, region, subnet_ids):
    """Nodes fetch images and find the control plane before they are ready: they need a route out and an ACL that allows it."""
    ec2 = ec2_backends[account_id][region]
    for subnet_id in subnet_ids:
        tables = [table for table in ec2.route_tables.values() if subnet_id in table._associations.values()]
        routes = {route.destination_cidr_block for table in tables for route in table.routes}
        acls = [acl for acl in ec2.network_acls.values() if any(link.subnet_id == subnet_id for link in acl.associations)]
        ways = [entry for acl in acls for entry in acl.network_acl_entries if str(entry.egress).lower() == "true" and entry.rule_action == "allow"]
        if "0.0.0.0/0" not in routes or not ways:
            raise InvalidRequestException(message=f"NodeCreationFailure: Instances in {subnet_id} failed to join the kubernetes cluster")


@before(EKSBackend, "update_nodegroup_config")
def _(self, cluster_name, nodegroup_name, *args, scaling_config=None, **given):
    """New limits must include the desired size: the one in the request, or else the current one."""
    sizes = self.clusters[cluster_name].nodegroups[nodegroup_name].scaling_config | (scaling_config or {})
    if sizes["minSize"] > sizes["desiredSize"]:
        raise InvalidParameterException(message=f"Minimum capacity {sizes['minSize']} can't be greater than desired size {sizes['desiredSize']}")
    if sizes["desiredSize"] > sizes["maxSize"]:
        raise InvalidParameterException(message="desiredSize can't be greater than maxSize")


# ------------------------------------------------------------------ RDS

# Default values of parameters in the family postgres18.
DEFAULTS = {
    "rds.force_ssl": "1", "password_encryption": "scram-sha-256", "shared_preload_libraries": "pg_stat_statements",
    "log_parameter_max_length_on_error": "0",
}  # fmt: skip
# Changes that wait for the maintenance window unless they are applied immediately.
WAITING = ("db_instance_class", "allocated_storage", "engine_version", "ca_certificate_identifier", "multi_az")


def version_of(text):
    return [int(part) for part in re.findall(r"\d+", text)]


@before(RDSBackend, "modify_db_instance")
def _(self, db_instance_identifier, db_kwargs):
    database = self.describe_db_instances(db_instance_identifier)[0]
    wanted = db_kwargs.get("engine_version")
    for name in [] if database.is_replica or not wanted else database.replicas:
        replica = self.databases[name]
        if version_of(replica.engine_version) < version_of(wanted):
            raise RDSClientError("DBUpgradeDependencyFailure", f"One or more of the DB Instance's read replicas need to be upgraded: {name}")
    if not db_kwargs.get("apply_immediately"):
        for key in WAITING:
            db_kwargs.pop(key, None)


def value_is_allowed(family, parameter):
    """Since PostgreSQL 18 log_connections is a list, and RDS refuses the former values."""
    names, value = "receipt, authentication, authorization, setup_durations, all", parameter["ParameterValue"]
    if parameter["ParameterName"] == "log_connections" and version_of(family) >= [18] and not {*value.split(",")} <= {*names.split(", ")}:
        raise RDSClientError("InvalidParameterValue", f"Invalid parameter value: {value} for: log_connections allowed values are: {names}")


def keep_apply_method(parameter):
    """RDS does not change a parameter that equals its default, and keeps reporting the default's apply method."""
    if DEFAULTS.get(parameter["ParameterName"]) == parameter["ParameterValue"]:
        return parameter | {"ApplyMethod": "pending-reboot"}
    return parameter
