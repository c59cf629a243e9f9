"""bootstrap applied against the double: state, DNS, images and permissions."""

import json
import re

import pytest

from stack import Stack, listed, statements


def test_bootstrap_plans_clean(bootstrap):
    assert bootstrap.plan_again() == ""


def test_state_and_images_are_not_deleted_by_mistake(made):
    table = made.one("aws_dynamodb_table")
    assert table["hash_key"] == "LockID" and table["deletion_protection_enabled"]
    assert not made.one("aws_s3_bucket")["force_destroy"] and not made.one("aws_ecr_repository")["force_delete"]


def test_state_is_reached_by_tls_only(made):
    [statement] = statements(made.one("aws_s3_bucket_policy")["policy"])
    assert (statement["Effect"], statement["Action"], statement["Principal"]) == ("Deny", "s3:*", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    bucket = made.one("aws_s3_bucket")["arn"]
    assert set(statement["Resource"]) == {bucket, f"{bucket}/*"}


def test_signatures_are_not_expired(made):
    """They have no tag and refer to an image: ECR deletes them with it. A rule for untagged or any images deletes them first."""
    rules = json.loads(made.one("aws_ecr_lifecycle_policy")["policy"])["rules"]
    assert [rule["selection"]["tagStatus"] for rule in rules] == ["tagged"]


def trusted(made, name):
    [statement] = statements(made.one("aws_iam_role", f'ci["{name}"]')["assume_role_policy"])
    conditions = statement["Condition"]
    assert list(conditions) == ["StringEquals"], "no patterns"
    conditions = conditions["StringEquals"]
    assert conditions["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    return listed(conditions["token.actions.githubusercontent.com:sub"])


def trust(made, repository):
    main = f"repo:{repository}:ref:refs/heads/main"
    assert trusted(made, "apply-staging") == trusted(made, "apply-production") == [main]
    assert set(trusted(made, "push")) == {main, f"repo:{repository}:environment:delivery"}
    assert set(trusted(made, "plan")) == {main, f"repo:{repository}:pull_request"}


def test_ci_roles_trust_exact_subjects(made, bootstrap):
    values = (bootstrap.folder / "terraform.tfvars").read_text()
    trust(made, re.search(r'^github_repository += "(.*)"', values, re.M)[1])


def test_with_its_numbers_a_repository_is_trusted_by_them_alone(bootstrap):
    """As in GitHub's tokens for repositories created, renamed or moved since 15 July 2026."""
    numbers = ["-var=github_repository=owner/name", "-var=github_owner_id=11", "-var=github_repository_id=22"]
    trust(Stack(bootstrap.plan("-refresh=false", *numbers)), "owner@11/name@22")
    done = bootstrap.terraform("plan", "-no-color", "-refresh=false", numbers[1], accept=(1,))
    assert "set together or not at all" in done.stderr


def test_an_account_with_a_provider_for_github_keeps_it(bootstrap, client):
    """IAM refuses a second one."""
    [provider] = [entry["Arn"] for entry in client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"] if "githubusercontent" in entry["Arn"]]
    with pytest.raises(client("iam").exceptions.EntityAlreadyExistsException):
        client("iam").create_open_id_connect_provider(Url="https://token.actions.githubusercontent.com", ThumbprintList=[])
    planned = Stack(bootstrap.plan("-refresh=false", "-var=create_github_oidc_provider=false"))
    assert not planned.all("aws_iam_openid_connect_provider")
    assert all(provider in role["assume_role_policy"] for role in planned.all("aws_iam_role", "ci["))


def test_mails_say_what_the_account_costs(bootstrap):
    assert not bootstrap.stack().one("aws_budgets_budget")["notification"], "without an address AWS refuses a notification"
    budget = Stack(bootstrap.plan("-refresh=false", '-var=alarm_emails=["a@example.org"]')).one("aws_budgets_budget")
    assert {(found["notification_type"], found["threshold"]) for found in budget["notification"]} == {("ACTUAL", 80), ("FORECASTED", 100)}


def test_only_amazon_issues_certificates(made):
    assert '0 issue "amazon.com"' in made.one("aws_route53_record", "caa")["records"]
