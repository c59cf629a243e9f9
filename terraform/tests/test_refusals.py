"""The double refuses what AWS refuses, with AWS's own error code: an apply that would fail on AWS fails here."""

import json

import botocore.exceptions
import pytest

ACCOUNT = "123456789012"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"


@pytest.fixture(scope="module")
def network(aws, client):
    """A VPC without a gateway: (VPC, two subnets)."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{index}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"]["SubnetId"]
        for index, zone in enumerate("ab")
    ]
    yield vpc, subnets
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def refused(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"]


def test_a_key_policy_that_names_a_role_which_does_not_exist(client):
    def policy(principal):
        return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:*", "Resource": "*"}]})

    service_linked = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
    assert refused(client("kms").create_key, Policy=policy(service_linked)) == "MalformedPolicyDocumentException"
    key = client("kms").create_key(Policy=policy(ROOT))["KeyMetadata"]["KeyId"]
    assert refused(client("kms").put_key_policy, KeyId=key, PolicyName="default", Policy=policy([ROOT, service_linked])) == "MalformedPolicyDocumentException"
    client("kms").schedule_key_deletion(KeyId=key)


def test_a_public_load_balancer_without_an_internet_gateway(client, network):
    _, subnets = network
    assert refused(client("elbv2").create_load_balancer, Name="public", Subnets=subnets) == "InvalidSubnet"


def test_a_load_balancer_with_a_name_over_32_characters(client, network):
    _, subnets = network
    assert refused(client("elbv2").create_load_balancer, Name="x" * 33, Subnets=subnets, Scheme="internal") == "ValidationError"


def test_a_gateway_is_not_taken_from_a_load_balancer(client, network):
    vpc, subnets = network
    ec2, elb = client("ec2"), client("elbv2")
    assert refused(ec2.create_nat_gateway, SubnetId=subnets[0]) == "Gateway.NotAttached"
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    balancer = elb.create_load_balancer(Name="public", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    assert refused(ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc) == "DependencyViolation"
    elb.delete_load_balancer(LoadBalancerArn=balancer)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)


def test_clusters_and_nodes(client, network):
    _, subnets = network
    eks = client("eks")
    cluster = {"name": "x", "version": "1.35", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/x"}
    reserved = {"subnetIds": subnets, "publicAccessCidrs": ["203.0.113.0/24"]}
    assert refused(eks.create_cluster, **cluster, resourcesVpcConfig=reserved) == "InvalidParameterException"
    eks.create_cluster(**cluster, resourcesVpcConfig={"subnetIds": subnets})
    assert refused(eks.update_cluster_version, name="x", version="1.37") == "InvalidParameterException"
    assert refused(eks.update_cluster_config, name="x", resourcesVpcConfig=reserved) == "InvalidParameterException"
    group = {"clusterName": "x", "nodegroupName": "x", "subnets": subnets, "nodeRole": cluster["roleArn"], "version": "1.35"}
    assert refused(eks.create_nodegroup, **group, releaseVersion="1.34.7-20260505") == "InvalidParameterException"
    # No route leads out of these subnets.
    assert refused(eks.create_nodegroup, **group, releaseVersion="1.35.7-20260903") == "InvalidRequestException"
    eks.delete_cluster(name="x")


def test_a_parameter_that_is_the_default_stays_pending_reboot(client):
    rds = client("rds")
    rds.create_db_parameter_group(DBParameterGroupName="x", DBParameterGroupFamily="postgres18", Description="x")
    parameters = [
        {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "immediate"} for name, value in (("rds.force_ssl", "1"), ("log_connections", "all"))
    ]
    rds.modify_db_parameter_group(DBParameterGroupName="x", Parameters=parameters)
    found = {p["ParameterName"]: p["ApplyMethod"] for p in rds.describe_db_parameters(DBParameterGroupName="x")["Parameters"]}
    assert found == {"rds.force_ssl": "pending-reboot", "log_connections": "immediate"}
    rds.delete_db_parameter_group(DBParameterGroupName="x")


def test_connections_are_logged_by_name_since_postgresql_18(client):
    rds = client("rds")
    rds.create_db_parameter_group(DBParameterGroupName="y", DBParameterGroupFamily="postgres18", Description="y")
    parameters = [{"ParameterName": "log_connections", "ParameterValue": "1", "ApplyMethod": "immediate"}]
    assert refused(rds.modify_db_parameter_group, DBParameterGroupName="y", Parameters=parameters) == "InvalidParameterValue"
    rds.delete_db_parameter_group(DBParameterGroupName="y")
