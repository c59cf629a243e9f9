"""bootstrap applied against the double: state, names, images, and who may do what."""

import fnmatch
import re

import pytest

from stack import listed, statements


@pytest.fixture(scope="module")
def made(bootstrap):
    return bootstrap.stack()


def test_bootstrap_plans_clean(bootstrap):
    assert bootstrap.plan_again() == ""


def test_state_is_versioned_encrypted_and_private(made):
    assert made.one("aws_s3_bucket_versioning")["versioning_configuration"][0]["status"] == "Enabled"
    rule = made.one("aws_s3_bucket_server_side_encryption_configuration")["rule"][0]
    assert rule["apply_server_side_encryption_by_default"][0]["sse_algorithm"] == "aws:kms"
    block = made.one("aws_s3_bucket_public_access_block")
    assert all(block[name] for name in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"))
    assert not made.one("aws_s3_bucket")["force_destroy"]


def test_state_is_reached_by_tls_only(made):
    [statement] = statements(made.one("aws_s3_bucket_policy")["policy"])
    assert (statement["Effect"], statement["Action"], statement["Principal"]) == ("Deny", "s3:*", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    bucket = made.one("aws_s3_bucket")["arn"]
    assert set(statement["Resource"]) == {bucket, f"{bucket}/*"}


def test_lock_table_is_encrypted_and_protected(made):
    table = made.one("aws_dynamodb_table")
    assert table["hash_key"] == "LockID" and table["deletion_protection_enabled"]
    assert table["server_side_encryption"][0]["enabled"] and table["point_in_time_recovery"][0]["enabled"]


def test_images_are_immutable_scanned_and_encrypted(made):
    repository = made.one("aws_ecr_repository")
    assert repository["image_tag_mutability"] == "IMMUTABLE"
    assert repository["image_scanning_configuration"][0]["scan_on_push"]
    assert repository["encryption_configuration"][0]["encryption_type"] == "KMS"
    assert not repository["force_delete"]


def trusted(made, name):
    [statement] = statements(made.one("aws_iam_role", f'ci["{name}"]')["assume_role_policy"])
    conditions = statement["Condition"]
    assert list(conditions) == ["StringEquals"], "no patterns"
    conditions = conditions["StringEquals"]
    assert conditions["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    return listed(conditions["token.actions.githubusercontent.com:sub"])


def test_ci_roles_trust_exact_subjects(made, bootstrap):
    values = (bootstrap.folder / "terraform.tfvars").read_text()
    repository = re.search(r'^github_repository += "(.*)"', values, re.M)[1]
    main = f"repo:{repository}:ref:refs/heads/main"
    assert trusted(made, "push") == trusted(made, "apply") == [main]
    assert set(trusted(made, "plan")) == {main, f"repo:{repository}:pull_request"}


def allowed(made, name):
    """(action, resource) pairs that a role's own policies allow."""
    for policy in made.all("aws_iam_role_policy", f".{name}"):
        for statement in statements(policy["policy"]):
            if statement["Effect"] == "Allow":
                yield from ((action, resource) for action in listed(statement["Action"]) for resource in listed(statement["Resource"]))


def test_push_role_reaches_one_repository_only(made):
    repository = made.one("aws_ecr_repository")["arn"]
    pairs = set(allowed(made, "push"))
    assert ("ecr:PutImage", repository) in pairs
    assert {action for action, resource in pairs if resource != repository} == {"ecr:GetAuthorizationToken"}
    assert not any(action in ("ecr:BatchDeleteImage", "ecr:PutImageTagMutability") for action, _ in pairs)


def test_plan_role_reads_no_secret(made):
    assert {action for action, _ in allowed(made, "plan")} == {"kms:Decrypt", "secretsmanager:GetRandomPassword"}
    [denied] = [s for s in statements(made.one("aws_iam_role_policy", ".plan")["policy"]) if s.get("Sid") == "NoData"]
    assert denied["Effect"] == "Deny" and denied["Resource"] == "*"
    assert {"secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue", "ssm:GetParameter*"} <= set(denied["Action"])


def test_apply_role_has_no_star_on_star(made):
    pairs = set(allowed(made, "apply"))
    assert not {action for action, _ in pairs if action in ("*", "iam:*", "sts:*", "s3:*", "secretsmanager:*")}
    own = {resource for action, resource in pairs if action in ("secretsmanager:GetSecretValue", "iam:PassRole", "iam:CreateRole")}
    assert own and all(re.search(r":(role/|secret:)birthday-", resource) for resource in own), own


def test_apply_role_makes_roles_inside_the_boundary_only(made):
    boundary = made.one("aws_iam_policy")["arn"]
    found = statements(made.one("aws_iam_role_policy", "apply_iam")["policy"])
    giving = {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"}
    for statement in found:
        if statement["Effect"] == "Allow" and giving & set(listed(statement["Action"])):
            assert statement["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    taking = {action for s in found if s["Effect"] == "Allow" for action in listed(s["Action"])}
    assert "iam:DeleteRolePermissionsBoundary" not in taking and "iam:CreatePolicyVersion" not in taking


def test_apply_role_cannot_change_the_roles_of_bootstrap(made):
    found = statements(made.one("aws_iam_role_policy", "apply_iam")["policy"])
    [denied] = [statement for statement in found if statement["Effect"] == "Deny"]
    kept = {role["arn"] for role in made.all("aws_iam_role")} | {made.one("aws_iam_policy")["arn"]}
    assert kept <= set(denied["Resource"])
    for action in ("iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:PassRole", "iam:DeleteRole", "iam:AttachRolePolicy"):
        assert any(fnmatch.fnmatch(action, pattern) for pattern in denied["Action"]), action


def test_boundary_holds_no_iam_and_one_region(made):
    found = statements(made.one("aws_iam_policy")["policy"])
    for statement in found:
        actions = listed(statement["Action"])
        iam = [action for action in actions if action.startswith(("iam:", "sts:", "organizations:", "s3:", "*"))]
        if iam:
            assert iam == ["iam:CreateServiceLinkedRole"] and ":role/aws-service-role/" in statement["Resource"]
        else:
            assert statement["Condition"] == {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}


def test_only_amazon_issues_certificates(made):
    assert '0 issue "amazon.com"' in made.one("aws_route53_record", "caa")["records"]
