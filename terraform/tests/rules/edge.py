"""Load balancer, certificate, names and web ACL."""

import json

from . import change, edit, remove, rule


@rule(change("aws_lb", subnets=["one"]), change("aws_lb", internal=True), change("aws_lb", enable_zonal_shift=False))
def load_balancer_in_every_zone(stack):
    balancer = stack.one("aws_lb")
    public = {subnet["id"] for subnet in stack.all("aws_subnet", '"public-')}
    assert balancer["load_balancer_type"] == "application" and not balancer["internal"]
    assert set(balancer["subnets"]) == public and len(public) == 3
    assert balancer["drop_invalid_header_fields"]
    assert balancer["enable_zonal_shift"], "docs/runbooks/zone-loss.md shifts traffic away"


@rule(change("aws_lb_target_group", health_check__port="traffic-port"), change("aws_lb_target_group", target_type="instance"), planned=True)
def targets_are_checked(stack):
    group = stack.one("aws_lb_target_group")
    check = group["health_check"][0]
    assert group["target_type"] == "ip"
    assert (check["port"], check["path"], check["matcher"]) == ("15021", "/healthz/ready", "200")
    assert check["interval"] * check["unhealthy_threshold"] <= 30, "a dead target stays too long"


@rule(change("aws_acm_certificate", validation_method="EMAIL"), change("aws_lb_listener", "https", certificate_arn="x"))
def certificate_by_dns(stack):
    certificate = stack.one("aws_acm_certificate")
    assert certificate["validation_method"] == "DNS"
    assert certificate["domain_name"] == stack.one("aws_route53_record", "record.service")["name"]
    assert stack.one("aws_lb_listener", ".https")["certificate_arn"] == certificate["arn"]
    assert stack.all("aws_route53_record", "validation")


@rule(change("aws_route53_record", "record.service", alias__evaluate_target_health=False), remove("aws_route53_health_check"))
def dns_points_at_the_load_balancer(stack):
    record, balancer = stack.one("aws_route53_record", "record.service"), stack.one("aws_lb")
    assert record["alias"][0]["name"] == balancer["dns_name"] and record["alias"][0]["evaluate_target_health"]
    check = stack.one("aws_route53_health_check")
    assert (check["type"], check["fqdn"]) == ("HTTPS", record["name"])


MANAGED = {
    "AWSManagedRulesCommonRuleSet",  # XSS among others
    "AWSManagedRulesSQLiRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesAmazonIpReputationList",
}


@rule(
    edit("aws_wafv2_web_acl", rule=('"none": [{}]', '"none": []')),
    edit("aws_wafv2_web_acl", rule=("NoUserAgent_HEADER", "CrossSiteScripting_BODY")),
    edit("aws_wafv2_web_acl", rule=('"rate-limit"', '"another"')),
    remove("aws_wafv2_web_acl_association"),
    planned=True,
)
def web_acl(stack):
    rules = {found["name"]: found for found in stack.one("aws_wafv2_web_acl")["rule"]}
    assert set(rules) == MANAGED | {"rate-limit"}
    for name in MANAGED:
        assert rules[name]["override_action"][0]["none"], f"{name} only counts"
        group = rules[name]["statement"][0]["managed_rule_group_statement"][0]
        overridden = [override["name"] for override in group["rule_action_override"]]
        assert set(overridden) <= {"NoUserAgent_HEADER"}, f"{name}: {overridden} do not block"
    limit = rules["rate-limit"]["statement"][0]["rate_based_statement"][0]
    assert limit["aggregate_key_type"] == "IP" and rules["rate-limit"]["action"][0]["block"]
    assert stack.one("aws_wafv2_web_acl_association")


@rule(
    edit("aws_wafv2_web_acl_logging_configuration", redacted_fields=('"uri_path": [{}]', '"uri_path": []')),
    change("aws_wafv2_web_acl_logging_configuration", logging_filter__default_behavior="KEEP"),
    edit("aws_wafv2_web_acl", rule=('"sampled_requests_enabled": false', '"sampled_requests_enabled": true')),
    change("aws_lb", access_logs=[{"enabled": True}]),
    planned=True,
)
def no_names_in_edge_logs(stack):
    """Names are in URLs: no log of the edge may contain one. Addresses are logged only of requests that were refused."""
    configuration = stack.one("aws_wafv2_web_acl_logging_configuration")
    fields, [logged] = configuration["redacted_fields"], configuration["logging_filter"]
    assert any(field["uri_path"] for field in fields) and any(field["query_string"] for field in fields)
    kept = [(found["behavior"], [condition["action_condition"][0]["action"] for condition in found["condition"]]) for found in logged["filter"]]
    assert (logged["default_behavior"], kept) == ("DROP", [("KEEP", ["BLOCK"])])
    for found in stack.one("aws_wafv2_web_acl")["rule"]:
        assert not found["visibility_config"][0]["sampled_requests_enabled"]
    assert not any(logs["enabled"] for logs in stack.one("aws_lb").get("access_logs") or [])


BRIDGE = {
    "labels": {"environment", "aws_region"},
    "annotations": {
        "cluster_name", "vpc_id", "domain_name", "image_repository", "target_group_arn",
        "load_balancer_controller_role_arn", "external_secrets_role_arn", "cluster_autoscaler_role_arn",
        "cloudwatch_agent_role_arn", "service_role_arn", "alertmanager_role_arn", "alarm_topic_arn", "database_host",
        "database_replica_host", "database_port", "database_name", "database_secret_name", "database_owner_secret_name",
        "application_log_group", "database_subnet_cidrs", "public_subnet_cidrs",
    },
}  # fmt: skip


def rename_key(stack):
    annotations = stack.outputs["bridge"]["value"]["annotations"]
    annotations["target_group"] = annotations.pop("target_group_arn")


@rule(rename_key)
def bridge_contract(stack):
    bridge = stack.outputs["bridge"]["value"]
    assert {part: set(values) for part, values in bridge.items()} == BRIDGE
    values = list(bridge["labels"].values()) + list(bridge["annotations"].values())
    assert all(isinstance(value, str) for value in values), "annotations are strings"
    assert bridge["annotations"]["database_subnet_cidrs"] == "10.0.21.0/24,10.0.22.0/24,10.0.23.0/24"
    assert bridge["annotations"]["public_subnet_cidrs"] == "10.0.1.0/24,10.0.2.0/24,10.0.3.0/24"
    assert bridge["annotations"]["alarm_topic_arn"] == stack.one("aws_sns_topic", "topic.alarms")["arn"]
    assert "password" not in json.dumps(bridge)
