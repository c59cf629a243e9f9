"""Smaller gaps in moto's other services."""

import json
import os
import subprocess
import sys
import tempfile

from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.budgets.responses import BudgetsResponse
from moto.cloudwatch.responses import CloudWatchResponse
from moto.ec2.models import launch_templates, security_groups
from moto.iam.access_control import PermissionResult
from moto.moto_api._internal import mock_random
from moto.s3 import models as s3
from moto.s3.responses import S3Response
from moto.secretsmanager.models import SecretsManagerBackend, secretsmanager_backends

from . import instead


# EC2: a rule's description is stored in its range or in its group.
security_groups.SecurityGroupRule.description = property(lambda rule: rule.ip_range.get("Description") or rule.source_group.get("Description"))
# S3: moto ignores conditions and would treat "deny without TLS", the only policy here, as "deny".
s3.FakeBucket.get_permission = lambda bucket, action, resource: PermissionResult.NEUTRAL
# S3: a bucket with suspended versioning is emptied key by key, with its delete markers; these have nothing to dispose of.
s3.FakeDeleteMarker.dispose = lambda marker: None
# CloudWatch: moto can store and describe composite alarms, but has no call that creates one.
CloudWatchResponse.put_composite_alarm = CloudWatchResponse.put_metric_alarm


@instead(launch_templates.LaunchTemplateVersion, "__init__")
def _(make, self, template, number, data, description):
    """A launch template's own tags are not part of its data."""
    if data.get("TagSpecifications"):
        data["TagSpecifications"] = [tags for tags in data["TagSpecifications"] if tags.get("ResourceType") != "launch-template"]
    make(self, template, number, data, description)


@instead(s3.FakeBucket, "set_lifecycle")
def _(set_rules, self, rules):
    """Stores how many old versions a rule keeps beside those of the last days: the provider waits until it reads its own rule."""
    set_rules(self, rules)
    for rule, given in zip(self.rules, rules, strict=True):
        rule.newer_versions = (given.get("NoncurrentVersionExpiration") or {}).get("NewerNoncurrentVersions")


@instead(S3Response, "get_bucket_lifecycle")
def _(answer, self):
    status, headers, body = answer(self)
    numbers = [rule.newer_versions for rule in self.backend.get_bucket_lifecycle(self.bucket_name)]
    kept = "".join(f"<NewerNoncurrentVersions>{number}</NewerNoncurrentVersions>" for number in numbers if number)
    body = body.decode() if isinstance(body, bytes) else body
    return status, headers, body.replace("</NoncurrentVersionExpiration>", kept + "</NoncurrentVersionExpiration>")


@instead(SecretsManagerBackend, "rotate_secret")
def _(_, self, secret_id, client_request_token=None, rotation_lambda_arn=None, rotation_rules=None, rotate_immediately=True):
    """A rotation creates a pending version without a value; the test calls the steps in the service's place."""
    secret = self.secrets[secret_id]
    token = client_request_token or str(mock_random.uuid4())
    if secret.versions and rotate_immediately:
        secret.remove_version_stages_from_old_versions(["AWSPENDING"])
        secret.versions[token] = {"createdate": 0, "version_id": token, "version_stages": ["AWSPENDING"]}
    secret.rotation_lambda_arn = rotation_lambda_arn or secret.rotation_lambda_arn
    secret.auto_rotate_after_days = (rotation_rules or {}).get("AutomaticallyAfterDays", 0)
    secret.rotation_requested = secret.rotation_enabled = True
    return secret.to_short_dict()


@instead(SecretsManagerBackend, "get_secret_value")
def _(read, self, secret_id, version_id, version_stage):
    """Logs every read of a value, so that tests can count them."""
    print(f"GetSecretValue {secret_id}", file=sys.stderr, flush=True)
    return read(self, secret_id, version_id, version_stage)


def run(function, body, response_headers):
    """Runs the uploaded package with the program LAMBDA_RUNTIME, the function's settings and this double as AWS."""
    aws = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{sys.argv[1]}"}
    aws |= {key: value for key, value in os.environ.items() if key.startswith(("AWS_", "LAMBDA_"))}
    with tempfile.NamedTemporaryFile(suffix=".zip") as package:
        package.write(function.code_bytes)
        package.flush()
        done = subprocess.run(
            [sys.executable, os.environ["LAMBDA_RUNTIME"], package.name, function.handler],
            env=aws | function.environment_vars, input=body or "{}", text=True, stdout=subprocess.PIPE, timeout=function.timeout,
        )  # fmt: skip
    if done.returncode:
        response_headers["x-amz-function-error"] = "Unhandled"
    return done.stdout.encode()


@instead(LambdaSimpleBackend, "invoke")
def _(invoke, self, function_name, qualifier, body, headers, response_headers):
    """Without a runtime, stands in for the rotation function's first run: gives each of its secrets a value."""
    function = self.get_function(function_name, qualifier)
    if "LAMBDA_RUNTIME" in os.environ:
        return run(function, body, response_headers)
    if json.loads(body or "{}").get("Step") != "initialize":
        return invoke(self, function_name, qualifier, body, headers, response_headers)
    manager = secretsmanager_backends[self.account_id][self.region_name]
    for role, arn in json.loads(function.environment_vars["ROTATED_SECRETS"]).items():
        if not manager.secrets[arn].versions:
            value = {"username": f"{role}_a", "password": f"made-by-the-function-{mock_random.uuid4()}"}
            manager.put_secret_value(arn, json.dumps(value), None, str(mock_random.uuid4()), ["AWSCURRENT"])
    return b"null"


TAGS = {}  # of budgets
BudgetsResponse.list_tags_for_resource = lambda self: json.dumps({"ResourceTags": TAGS[self._get_param("ResourceARN").rsplit("/", 1)[1]]})


@instead(BudgetsResponse, "create_budget")
def _(create, self):
    TAGS[self._get_param("Budget")["BudgetName"]] = self._get_param("ResourceTags") or []
    return create(self)


def subscribers(self):
    budget = self.backend.budgets[self._get_param("AccountId")][self._get_param("BudgetName")]
    wanted = self._get_param("Notification")
    found = next(n.subscribers for n in budget.notifications if n.details["NotificationType"] == wanted["NotificationType"])
    return json.dumps({"Subscribers": found})


BudgetsResponse.describe_subscribers_for_notification = subscribers
