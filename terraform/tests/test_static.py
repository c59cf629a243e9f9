"""Static checks of the files: no AWS, no double, a few minutes."""

import datetime
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes

import tools
from conftest import TERRAFORM
from roots import copy_tree, init, product_files
from rules import RULES
from rules.edge import BRIDGE
from tools import run

REPOSITORY = TERRAFORM.parent
ROOTS = ["bootstrap", "environments/staging", "environments/production"]
MODULES = sorted(path.name for path in (TERRAFORM / "modules").iterdir())


def read(path):
    return (TERRAFORM / path).read_text()


@pytest.fixture(scope="module")
def copy(folder):
    return copy_tree(TERRAFORM, folder / "static")


def test_files_are_formatted():
    run(["terraform", "fmt", "-check", "-recursive", "-diff", TERRAFORM])


@pytest.mark.parametrize("root", ROOTS)
def test_root_module_is_valid(copy, root):
    """It initializes with the lock file unchanged, and is valid with every module it uses."""
    environment = os.environ | tools.terraform_environment()
    init(copy / root, environment, "-backend=false")
    said = json.loads(run(["terraform", "validate", "-json"], cwd=copy / root, env=environment))
    assert said["diagnostics"] == [], "no warning either: what version 5 of the provider deprecates, version 6 removes"


def test_tflint_has_no_finding(copy):
    shutil.rmtree(copy / "modules/environment/root", ignore_errors=True)  # The environments link to it, and are checked.
    run(["tflint", "--recursive", f"--config={TERRAFORM / '.tflint.hcl'}", "--no-color"], cwd=copy)


def test_checkov_has_no_finding():
    """A finding that stays has its reason beside the resource."""
    run(["checkov", "--config-file", ".checkov.yaml", "--directory", "."], cwd=TERRAFORM)


# check -> a change that it must find: file, text and replacement. These need no rule in tests/rules.
HELD_BY_CHECKOV = {
    "CKV_AWS_7": ("modules/secrets/main.tf", "enable_key_rotation     = true", ""),
    "CKV_AWS_16": ("modules/database/main.tf", "storage_encrypted     = true", ""),
    "CKV_AWS_17": ("modules/database/main.tf", "publicly_accessible    = false", "publicly_accessible    = true"),
    "CKV_AWS_21": ("bootstrap/state.tf", 'status = "Enabled"', 'status = "Suspended"'),
    "CKV_AWS_28": ("bootstrap/state.tf", "    enabled = true\n", ""),
    "CKV_AWS_37": ("modules/cluster/main.tf", '"audit", ', ""),
    "CKV_AWS_51": ("modules/registry/main.tf", '"IMMUTABLE"', '"MUTABLE"'),
    "CKV_AWS_55": ("bootstrap/state.tf", "ignore_public_acls      = true", ""),
    "CKV_AWS_58": ("modules/cluster/main.tf", 'resources = ["secrets"]', "resources = []"),
    "CKV_AWS_79": ("modules/cluster/nodes.tf", '= "required"', '= "optional"'),
    "CKV_AWS_103": ("modules/edge/main.tf", "ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "ELBSecurityPolicy-2016-08"),
    "CKV_AWS_118": ("modules/database/main.tf", "monitoring_interval                   = 60", ""),
    "CKV_AWS_119": ("bootstrap/state.tf", "kms_key_arn = aws_kms_key.state.arn", ""),
    "CKV_AWS_129": ("modules/database/main.tf", 'enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]', ""),
    "CKV_AWS_130": ("modules/network/main.tf", "map_public_ip_on_launch = false", "map_public_ip_on_launch = true"),
    "CKV_AWS_136": ("modules/registry/main.tf", '"KMS"', '"AES256"'),
    "CKV_AWS_145": ("bootstrap/state.tf", '"aws:kms"', '"AES256"'),
    "CKV_AWS_149": ("modules/secrets/main.tf", "kms_key_id              = aws_kms_key.this.arn", ""),
    "CKV_AWS_158": ("modules/cluster/main.tf", "kms_key_id        = var.log_key_arn", ""),
    "CKV_AWS_163": ("modules/registry/main.tf", "scan_on_push = true", "scan_on_push = false"),
    "CKV_AWS_341": ("modules/cluster/nodes.tf", "hop_limit = 1", "hop_limit = 2"),
    "CKV_AWS_353": ("modules/database/main.tf", "performance_insights_enabled          = true", ""),
    "CKV2_AWS_11": ("modules/network/flow_logs.tf", "vpc_id          = aws_vpc.this.id", ""),
    "CKV2_AWS_20": ("modules/edge/main.tf", 'type = "redirect"', 'type = "forward"'),
    "CKV2_AWS_12": ("modules/network/security_groups.tf", 'tags = { Name = "${var.name}-unused" }', "ingress {\n    protocol  = -1\n    self      = true\n    from_port = 0\n    to_port   = 0\n  }"),
}


def test_checkov_notices_what_is_left_to_it(folder):
    copy = copy_tree(TERRAFORM, folder / "violations")
    for file, text, instead in HELD_BY_CHECKOV.values():
        content = (copy / file).read_text()
        assert text in content, f"{file} has no {text}"
        (copy / file).write_text(content.replace(text, instead, 1))
    command = ["checkov", "--config-file", ".checkov.yaml", "--directory", ".", "--check", ",".join(HELD_BY_CHECKOV), "--soft-fail", "--output", "json"]
    found = json.loads(run(command, cwd=copy))["results"]["failed_checks"]
    assert {failure["check_id"] for failure in found} == set(HELD_BY_CHECKOV)


def test_every_finding_that_stays_has_a_reason():
    waivers = re.findall(r"checkov:skip=(\w+):?(.*)", "".join(path.read_text() for path in product_files()))
    assert waivers and all(len(reason) >= 8 for _, reason in waivers)
    assert "CKV" not in read(".checkov.yaml"), "no check is skipped for everything"


def test_root_modules_are_one_call_of_one_module():
    """An environment's own files are its values and the place of its state; the rest are links."""
    for environment in ("staging", "production"):
        files = {path.name: path for path in (TERRAFORM / "environments" / environment).iterdir() if path.is_file()}
        own = {name for name, path in files.items() if not path.is_symlink()} - {"double_override.tf"}
        assert own == {"terraform.tfvars", "backend.tf", "README.md", ".terraform.lock.hcl"}
        shared = {str(path.resolve().relative_to(TERRAFORM)) for path in files.values() if path.is_symlink()}
        assert shared == {f"modules/environment/{name}" for name in ("root/main.tf", "root/outputs.tf", "root/versions.tf", "variables.tf")}
    assert len(re.findall(r"^(module|resource|data) ", read("modules/environment/root/main.tf"), re.M)) == 1


def values_of(root):
    return dict(re.findall(r'^(\w+) += "(.*)"', read(f"{root}/terraform.tfvars"), re.M))


def test_every_place_names_the_same_state():
    values = values_of("bootstrap")
    for environment in ("staging", "production"):
        backend = dict(re.findall(r'^ +(\w+) += "(.*)"', read(f"environments/{environment}/backend.tf"), re.M))
        assert backend == {
            "bucket": values["state_bucket"],
            "key": f"{environment}/terraform.tfstate",
            "region": values["region"],
            "kms_key_id": f"alias/{values['project']}-terraform-state",
            "dynamodb_table": f"{values['project']}-terraform-lock",
        }
        own = values_of(f"environments/{environment}")
        for shared in ("project", "region", "zone_name", "repository_name", "github_repository"):
            assert own[shared] == values[shared], f"{shared} of {environment}"
        assert f"\n# {own['kubernetes_version']} is in standard support until 20" in read(f"environments/{environment}/terraform.tfvars"), "scripts/audit reads it"


def test_the_region_is_named_by_values_only():
    """Workflows read a repository variable. us-east-1 is where Route 53 publishes its metrics."""
    code = [path for path in product_files() if path.name not in ("terraform.tfvars", "backend.tf")]
    for path in [*code, *(REPOSITORY / ".github/workflows").glob("*.yml")]:
        text = re.sub(r'description += ".*|error_message += ".*', "", path.read_text())
        assert not re.search(r"(eu|us|ap)-[a-z]+-\d", text.replace("us-east-1", "")), path


def test_the_budget_mails_nothing_in_an_ordinary_month():
    """Four fifths of it are more than the estimate of both environments, and a fifth for what the estimate leaves out."""
    estimate = [int(number.replace(",", "")) for number in re.findall(r"\*\*([\d,]+)\*\*", re.search(r"^\| \*\*Together, about.*", read("README.md"), re.M)[0])]
    budget = int(re.search(r"^monthly_budget = (\d+)", read("bootstrap/terraform.tfvars"), re.M)[1])
    assert len(estimate) == 2 and 1.2 * sum(estimate) < 0.8 * budget


@pytest.mark.parametrize("root", ["bootstrap", "modules/environment"])
def test_the_longest_project_makes_names_that_load_balancers_take(root):
    longest = int(re.search(r'\{2,(\d+)\}\$", var\.project', read(f"{root}/variables.tf"))[1]) + 1
    assert longest + len("-production-gateway") <= 32


@pytest.mark.parametrize("root", ROOTS)
def test_lock_file_knows_every_platform(root):
    """14 platforms, linux and darwin on amd64 and arm64 among them: `zh` per archive and the manifest, `h1` per unpacked one."""
    lock = read(f"{root}/.terraform.lock.hcl")
    assert len(set(re.findall(r'"zh:[0-9a-f]{64}"', lock))) == 15
    assert len(set(re.findall(r'"h1:[\w+/=]{44}"', lock))) == 14
    assert lock == read("bootstrap/.terraform.lock.hcl")


def test_nothing_for_tests_only_is_in_product_code():
    assert len(product_files()) > 50
    for path in product_files():
        text = path.read_text()
        for word in ("skip_credentials", "skip_requesting", "skip_metadata", "localhost", "127.0.0.1", "endpoints {", "s3_use_path_style", "123456789012", "mock"):
            assert word not in text, f"{word} in {path}"


def test_documentation_is_current():
    run([sys.executable, TERRAFORM / "document", "--check"])


@pytest.mark.parametrize("folder", ["bootstrap", *(f"modules/{name}" for name in MODULES)])
def test_module_is_documented(folder):
    """With a usage that names every input without a default; only the environment module's says "every variable"."""
    usage, tables = re.search(r"```(?:hcl|sh)\n(.*?)```.*## Inputs\n(.*)## Outputs", read(f"{folder}/README.md"), re.S).groups()
    required = [] if folder == "bootstrap" or "every variable" in usage else re.findall(r"^\| `(\w+)` .* required \|$", tables, re.M)
    assert [name for name in required if not re.search(rf"^  {name} +=", usage, re.M)] == []


def own_tests():
    files = [*Path(__file__).parent.glob("test_*.py")]
    return {name for path in files for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)}


def test_every_line_of_the_architecture_names_its_proof():
    """The table of terraform/README.md: every assertion it names exists, and every rule is named."""
    rows = re.findall(r"^\| .+ \|$", read("README.md").split("## From the architecture to the code")[1].split("\n## ")[0], re.M)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[-2])}
    assert len(rows) > 45
    assert named <= set(RULES) | own_tests(), named - set(RULES) - own_tests()
    assert set(RULES) <= named, set(RULES) - named


def test_every_type_of_resource_was_looked_up():
    """docs/real-aws.md says how AWS refuses it."""
    made = {kind for path in product_files() if path.suffix == ".tf" for kind in re.findall(r'^resource "(\w+)"', path.read_text(), re.M)}
    assert made == set(re.findall(r"\baws_\w+", (REPOSITORY / "docs/real-aws.md").read_text())) & made and len(made) > 65


def test_root_certificates_are_valid_for_years():
    found = x509.load_pem_x509_certificates((TERRAFORM / "modules/secrets/rotation/rds-ca.pem").read_bytes())
    limit = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2 * 365)
    names = sorted(certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value for certificate in found)
    assert names == [f"Amazon RDS {values_of('bootstrap')['region']} Root CA {kind} G1" for kind in ("ECC384", "RSA2048", "RSA4096")]
    for certificate in found:
        assert certificate.issuer == certificate.subject
        assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        certificate.verify_directly_issued_by(certificate)
        assert certificate.not_valid_after_utc > limit


def test_the_first_installation_asks_for_more_instances_than_the_autoscaler_may_start():
    """In an incident people raise `node_groups.max`. Nodes have two vCPUs each."""
    files = [read(f"environments/{environment}/terraform.tfvars") for environment in ("staging", "production")]
    vcpus = sum(2 * 3 * int(re.search(r"^node_groups.+?^  max += (\d+)", text, re.M | re.S)[1]) for text in files)
    assert int(re.search(r"request (\d+) from\s+AWS", (REPOSITORY / "docs/runbooks/first-installation.md").read_text())[1]) > vcpus


# ------------------------------------------------------------------ what gitops/ relies on


def gitops(path):
    file = REPOSITORY / "gitops" / path
    if not file.exists():
        pytest.skip("gitops/ can be moved to a repository of its own")
    return file.read_text()


def test_pods_trust_the_same_root_certificates():
    def prints(text):
        return {certificate.fingerprint(hashes.SHA256()) for certificate in x509.load_pem_x509_certificates(text.encode())}

    assert prints(gitops("platform/secrets/rds-ca.pem")) == prints(read("modules/secrets/rotation/rds-ca.pem"))


def test_gitops_knows_every_key_of_the_bridge():
    """Its schema describes every key, and rejects a bridge without a required one."""
    schema = json.loads(gitops("apps/values.schema.json"))["properties"]["bridge"]
    keys = BRIDGE["labels"] | BRIDGE["annotations"]
    assert keys == set(schema["properties"])
    assert keys >= set(schema["required"])


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_connection_budget_covers_what_gitops_may_start(environment):
    """Stable and canary pods at their maximum, with the surge of a rolling update, each with its pool."""
    chart = yaml.safe_load(gitops("charts/birthday-api/values.yaml"))
    own = yaml.safe_load(gitops(f"environments/{environment}/birthday-api.yaml"))
    most = (chart["autoscaling"] | own["autoscaling"])["max"]
    surge = -(-most * int(re.search(r"maxSurge: (\d+)%", gitops("charts/birthday-api/templates/deployment.yaml"))[1]) // 100)
    budget = dict(re.findall(r"^  (pods|pool) += (\d+)", read(f"environments/{environment}/terraform.tfvars"), re.M))
    assert int(budget["pool"]) == (chart["database"] | own.get("database", {}))["maxConnections"]
    assert int(budget["pods"]) >= 2 * (most + surge)
