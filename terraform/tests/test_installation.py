"""Runs docs/runbooks/first-installation.md word for word in a shell and an empty account, in another region.

AWS is the double with its refusals, behind a stand-in for the AWS CLI; Terraform is real, and its prompts are answered with yes.
GitHub, DNS and kubectl give the answers written here, and what kubectl should apply is stored.
"""

import json
import os
import re
import subprocess
import sys

import boto3
import pytest

from conftest import TERRAFORM, started_double
from tools import run, terraform_environment

REPOSITORY = TERRAFORM.parent
REGION = "us-east-1"
# Blocks that this test leaves out: the tests themselves, and GitHub's settings, which tests/delivery covers.
LEFT_OUT = ("terraform/tests/run fast", "scripts/github-settings")

AWS = '''#!{python}
"""`aws SERVICE COMMAND --flag value`, as far as the runbook uses it."""
import json, sys, time
import boto3, jmespath
service, command, *rest = sys.argv[1:]
if (service, command) == ("s3", "cp"):
    bucket, key = rest[1].removeprefix("s3://").split("/", 1)
    boto3.client("s3").upload_file(rest[0], bucket, key)
elif (service, command) == ("logs", "tail"):
    boto3.client("logs").filter_log_events(logGroupName=rest[0])
elif (service, command) == ("eks", "update-kubeconfig"):
    boto3.client("eks").describe_cluster(name=rest[rest.index("--name") + 1])
elif service == "service-quotas":
    print("64.0")  # moto knows no quotas of EC2
else:
    flags = dict(zip(rest[::2], rest[1::2], strict=True))
    query, output = flags.pop("--query", "@"), flags.pop("--output", "json")
    region = flags.pop("--region", None)
    named = {{"".join(part.capitalize() for part in flag[2:].split("-")): value for flag, value in flags.items()}}
    answer = jmespath.search(query, getattr(boto3.client(service, region), command.replace("-", "_"))(**named))
    print(answer if output == "text" else json.dumps(answer, default=str))
'''
KUBECTL = '''#!{python}
import json, pathlib, sys
import yaml
place = pathlib.Path("{place}")
named = dict(zip(sys.argv, sys.argv[1:] + [""]))
if sys.argv[1] == "annotate":
    print(json.dumps(yaml.safe_load(open(named["-f"]))))
elif named.get("-f") == "-" and (text := sys.stdin.read()).strip():
    (place / f"applied-{{len(list(place.glob('applied-*')))}}").write_text(text)
'''
CHART = {"chart": "argo-cd", "repoURL": "https://charts.invalid", "targetRevision": "1", "helm": {"releaseName": "argocd", "valuesObject": {}}}
STAND_INS = {
    "kubectl": KUBECTL,
    "aws": AWS,
    "helm": f"#!/bin/sh\necho '{json.dumps({'spec': {'source': CHART}})}'\n",
    "gh": "#!/bin/sh\nprintf 'github_owner_id = 11\\ngithub_repository_id = 22\\n'\n",
    "dig": "#!/bin/sh\necho ns.invalid\n",
    "curl": '#!/bin/sh\ncase "$*" in *checkip*) echo 8.8.4.4 ;; *truststore*) cat {place}/bundle.pem ;; *) exit 22 ;; esac\n',
}


def authorities():
    """Root certificates as RDS publishes them for a region."""
    for kind in ("RSA2048", "RSA4096", "ECC384"):
        name = ["-subj", f"/CN=Amazon RDS {REGION} Root CA {kind} G1"]
        yield run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-days", "36500", *name])


@pytest.fixture(scope="module")
def place(folder):
    place = folder / "installation"
    place.mkdir()
    (place / "bundle.pem").write_text("".join(authorities()))
    (place / "programs").mkdir()
    for name, text in STAND_INS.items():
        program = place / "programs" / name
        program.write_text(text.format(python=sys.executable, place=place) if name != "helm" else text)
        program.chmod(0o755)
    # The files in Git, as in a clone.
    clone = f"""mkdir {place}/clone
      git ls-files -z | tar --null --files-from=- --ignore-failed-read --create | tar --extract --directory={place}/clone
      cd {place}/clone; git init --quiet; git add --all; git -c user.name=x -c user.email=x@invalid commit --quiet -m x"""
    run(["bash", "-euo", "pipefail", "-c", clone], cwd=REPOSITORY)
    return place


def blocks():
    text = (REPOSITORY / "docs/runbooks/first-installation.md").read_text().split("## When an apply stops")[0]
    return [block for block in re.findall(r"```sh\n(.*?)```", text, re.S) if not block.startswith(LEFT_OUT)]


def test_the_first_installation_is_played_word_for_word(place, folder):
    text = (TERRAFORM / "bootstrap/terraform.tfvars").read_text()
    if "111111111111" not in text:
        pytest.skip("the edits have been made here")
    script = "\n".join(blocks()).replace("AWS_REGION=eu-west-1", f"AWS_REGION={REGION}")
    assert script.count("terraform init && terraform apply") == 2 and "gitops/bootstrap/install $environment" in script
    with started_double(folder / "installation.log", REGION) as settings:
        environment = os.environ | terraform_environment() | settings | {"PATH": f"{place}/programs:{os.environ['PATH']}"}
        environment.pop("TF_INPUT", None)
        # Answers the prompts as a person would: yes to each apply.
        script = script.replace("terraform apply", "echo yes | terraform apply")
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=place / "clone", env=environment, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
        bridge = json.loads(subprocess.run(
            ["terraform", "output", "-json", "bridge"], cwd=place / "clone/terraform/environments/staging", env=environment, check=True, capture_output=True
        ).stdout)  # fmt: skip
        again = subprocess.run(["terraform", "plan", "-no-color", "-detailed-exitcode"], cwd=place / "clone/terraform/environments/staging", env=environment, text=True, capture_output=True)
        assert again.returncode == 0, f"the second plan: {again.stdout[-3000:]}{again.stderr[-3000:]}"
        aws = {"endpoint_url": settings["AWS_ENDPOINT_URL"], "aws_access_key_id": "testing", "aws_secret_access_key": settings["AWS_SECRET_ACCESS_KEY"]}
        trust = boto3.client("iam", REGION, **aws).get_role(RoleName="birthday-ci-apply-staging")["Role"]["AssumeRolePolicyDocument"]
        state = boto3.client("s3", REGION, **aws).get_object(Bucket="birthday-terraform-state-123456789012", Key="bootstrap/terraform.tfstate")
        topics = {topic["TopicArn"] for topic in boto3.client("sns", REGION, **aws).list_topics()["Topics"]}

    [secret] = [found for file in place.glob("applied-*") if (found := json.loads(file.read_text()))["kind"] == "Secret"]
    assert secret["metadata"]["annotations"] == bridge["annotations"]
    assert secret["metadata"]["labels"] == bridge["labels"] | {"argocd.argoproj.io/secret-type": "cluster"}
    assert bridge["labels"] == {"environment": "staging", "aws_region": REGION}
    assert bridge["annotations"]["domain_name"] == "staging.birthday.your-domain.org"
    [subject] = [trust["Statement"][0]["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]]
    assert subject == "repo:your-organization@11/birthday-api@22:ref:refs/heads/main"
    assert json.load(state["Body"])["resources"]
    assert len(topics) == 2, "in us-east-1, too, the topic of the health check is another one"
