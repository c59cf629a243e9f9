"""Names and ARNs: their values in Terraform's state, and where the cluster must have them."""

import json
import re
from collections import namedtuple

from lib import cluster as c

# key of the bridge -> resource type, part of its address, attribute
MADE = {
    "aws_region": ("aws_db_instance", "primary", "arn", r"arn:aws:rds:([^:]+):"),
    "cluster_name": ("aws_eks_cluster", "", "name"),
    "vpc_id": ("aws_vpc", "", "id"),
    "domain_name": ("aws_route53_record", "service", "fqdn"),
    "target_group_arn": ("aws_lb_target_group", "gateway", "arn"),
    **{
        f"{key}_role_arn": ("aws_iam_role", f'"{name}"', "arn")
        for name in ("load-balancer-controller", "external-secrets", "cluster-autoscaler", "cloudwatch-agent", "birthday-api", "alertmanager")
        for key in ["service" if name == "birthday-api" else name.replace("-", "_")]
    },
    "alarm_topic_arn": ("aws_sns_topic", "observability.aws_sns_topic.alarms", "arn"),
    "database_host": ("aws_db_instance", "primary", "address"),
    "database_replica_host": ("aws_db_instance", "replica", "address"),
    "database_port": ("aws_db_instance", "primary", "port"),
    "database_name": ("aws_db_instance", "primary", "db_name"),
    "database_secret_name": ("aws_secretsmanager_secret", 'rotated["application"]', "name"),
    "database_owner_secret_name": ("aws_secretsmanager_secret", 'rotated["owner"]', "name"),
    "application_log_group": ("aws_cloudwatch_log_group", "aws_cloudwatch_log_group.application", "name"),
}

CHART = "spec.source.helm.valuesObject"
DATABASES = "spec.template.spec.containers.0.env.ROCKET_DATABASES"
PRIMARY = r'[{,]url="postgres://birthday@([^:]+):'
REPLICA = r'replica_url="postgres://birthday@([^:]+):'

# key of the bridge, kind, namespace/name, path; a regular expression if the value is part of a string; the roles are not among them
PLACES = [
    ("image_repository", "Deployment", "birthday-api/birthday-api", "spec.template.spec.containers.0.image", r"([^@]+)@sha256:"),
    ("image_repository", "Deployment", "birthday-api/birthday-api-primary", "spec.template.spec.containers.0.image", r"([^@]+)@sha256:"),
    ("image_repository", "Job", "birthday-api/birthday-api-migrate", "spec.template.spec.containers.0.image", r"([^@]+)@sha256:"),
    ("image_repository", "ConfigMap", "birthday-api/image-policy", "data.repository"),
    *(
        (key, kind, f"birthday-api/{name}", DATABASES, pattern)
        for kind, name in (("Deployment", "birthday-api"), ("Deployment", "birthday-api-primary"), ("Job", "birthday-api-migrate"))
        for key, pattern in (
            ("database_host", PRIMARY), ("database_replica_host", REPLICA),
            ("database_port", PRIMARY + r"(?<=:)(\d+)/"), ("database_name", PRIMARY + r"\d+/(\w+)\?"),
        )
    ),
    *(("database_secret_name", "ExternalSecret", "birthday-api/birthday-api-database", f"spec.data.{i}.remoteRef.key") for i in (0, 1)),
    *(("database_owner_secret_name", "ExternalSecret", "birthday-api/birthday-api-database-owner", f"spec.data.{i}.remoteRef.key") for i in (0, 1)),
    ("aws_region", "ClusterSecretStore", "/secrets-manager", "spec.provider.aws.region"),
    ("database_subnet_cidrs", "NetworkPolicy", "birthday-api/database", "spec.egress.0.to.*.ipBlock.cidr"),
    ("public_subnet_cidrs", "NetworkPolicy", "istio-ingress/load-balancer", "spec.ingress.0.from.*.ipBlock.cidr"),
    ("database_port", "NetworkPolicy", "birthday-api/database", "spec.egress.0.ports.0.port"),
    ("domain_name", "Gateway", "istio-ingress/public", "spec.servers.0.hosts.0", r"birthday-api/(.+)"),
    ("domain_name", "VirtualService", "birthday-api/public", "spec.hosts.0"),
    ("target_group_arn", "TargetGroupBinding", "istio-ingress/istio-ingress", "spec.targetGroupARN"),
    ("database_host", "ServiceEntry", "birthday-api/database", "spec.hosts.0"),
    ("database_port", "ServiceEntry", "birthday-api/database", "spec.ports.0.number"),
    ("database_host", "DestinationRule", "birthday-api/database", "spec.host"),
    ("database_replica_host", "ServiceEntry", "birthday-api/database-replica", "spec.hosts.0"),
    ("database_port", "ServiceEntry", "birthday-api/database-replica", "spec.ports.0.number"),
    ("database_replica_host", "DestinationRule", "birthday-api/database-replica", "spec.host"),
    ("aws_region", "Deployment", "amazon-cloudwatch/otel-collector", "spec.template.spec.containers.0.env.AWS_REGION"),
    # controllers' charts: the values that Argo CD passes
    ("cluster_name", "Application", "argocd/aws-load-balancer-controller", f"{CHART}.clusterName"),
    ("vpc_id", "Application", "argocd/aws-load-balancer-controller", f"{CHART}.vpcId"),
    ("cluster_name", "Application", "argocd/cluster-autoscaler", f"{CHART}.autoDiscovery.clusterName"),
    ("cluster_name", "Application", "argocd/cloudwatch", f"{CHART}.clusterName"),
    ("application_log_group", "Application", "argocd/fluent-bit", f"{CHART}.cloudWatchLogs.logGroupName"),
    ("alarm_topic_arn", "Application", "argocd/prometheus", f"{CHART}.alertmanager.config.receivers.1.sns_configs.0.topic_arn"),
]
SPELLED = re.compile(r"arn:aws:[\w:/.+=,@-]+|[\w.-]+\.amazonaws\.com(?:/[\w-]+)?|\bvpc-[0-9a-f]+")
KINDS = [
    "deployments", "jobs", "configmaps", "serviceaccounts", "networkpolicies", "horizontalpodautoscalers", "services",
    "gateways.networking.istio.io", "virtualservices", "serviceentries", "destinationrules", "targetgroupbindings",
    "externalsecrets", "clustersecretstores", "applications.argoproj.io", "canaries.flagger.app",
]  # fmt: skip


def made(stack, key: str, repository: str) -> str:
    """The value in Terraform's state; the image repository comes from bootstrap."""
    if key == "image_repository":
        return repository
    if key.endswith("_subnet_cidrs"):
        subnets = stack.all("aws_subnet", 'this["' + key.replace("_subnet_cidrs", "-"))
        return ",".join(s["cidr_block"] for s in sorted(subnets, key=lambda s: s["availability_zone"]))
    kind, name, attribute, *pattern = MADE[key]
    value = str(stack.one(kind, name)[attribute])
    return re.search(pattern[0], value)[1] if pattern else value


Seen = namedtuple("Seen", "key place value")


def seen() -> list[Seen]:
    """The current value at every place, from the API server."""
    return [Seen(key, f"{kind} {where} {path}", value_at(kind, where, path, *pattern)) for key, kind, where, path, *pattern in PLACES]


def value_at(kind: str, where: str, path: str, pattern: str = "") -> str:
    namespace, name = where.split("/")
    group = {"Gateway": ".networking.istio.io", "Application": ".argoproj.io"}.get(kind, "")
    found = c.get(kind.lower() + group, name, namespace or None)
    assert found, f"there is no {kind} {where}"
    value = ",".join(str(v) for v in follow(found, path))
    if not pattern:
        return value
    match = re.search(pattern, value)
    assert match, f"{kind} {where}: {value!r} holds no {pattern}"
    return match[match.lastindex]


def follow(found, path: str) -> list:
    """Steps are keys, indexes, `*`, and names in a list of environment variables."""
    if not path:
        return [found]
    step, _, rest = path.partition(".")
    if isinstance(found, list):
        if step == "*":
            return [value for item in found for value in follow(item, rest)]
        if step.isdigit():
            return follow(found[int(step)], rest)
        return [item["value"] for item in found if item["name"] == step]
    return follow(found[step], rest)


def spelled() -> dict[str, str]:
    """Everything in the cluster that looks like a name from AWS, with the last place that has it."""
    found = {}
    for kind in KINDS:
        for item in c.items(kind):
            item["metadata"].pop("managedFields", None)
            for name in SPELLED.findall(json.dumps(item).replace("eks.amazonaws.com/role-arn", "")):  # a key, not a name
                found[name] = f"{item['kind']} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
    return found
