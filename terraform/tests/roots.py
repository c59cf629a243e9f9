"""Terraform's root modules in a copy of the tree: nothing is ever applied in the repository itself."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from stack import Stack
from tools import run, terraform_environment

TERRAFORM = Path(__file__).resolve().parents[1]
PROVIDERS = {
    "bootstrap": 'provider "aws" {\n  max_retries = 2\n}\n',
    "environments": 'provider "aws" {\n  max_retries = 2\n}\n\nprovider "aws" {\n  alias       = "us_east_1"\n  max_retries = 2\n}\n',
}


class Root:
    """One root module: bootstrap, environments/staging or environments/production."""

    def __init__(self, tree, name, environment):
        self.folder, self.name = tree / name, name
        self.environment = os.environ | terraform_environment() | environment
        # A call that the double lacks fails at once instead of being retried for ten minutes.
        (self.folder / "double_override.tf").write_text(PROVIDERS[name.split("/")[0]])

    def terraform(self, *arguments, accept=(0,)):
        done = subprocess.run(["terraform", *arguments], cwd=self.folder, env=self.environment, text=True, capture_output=True)
        said = done.stdout + done.stderr
        assert done.returncode in accept, f"terraform {' '.join(arguments)} in {self.name}:\n{said[-8000:]}"
        return done

    def init(self):
        init(self.folder, self.environment)

    def apply(self, *options):
        return self.terraform("apply", "-no-color", "-auto-approve", *options).stdout

    def plan_again(self):
        """Saves a plan in saved.tfplan; returns its text, or nothing if it changes nothing."""
        done = self.terraform("plan", "-no-color", "-detailed-exitcode", "-out=saved.tfplan", accept=(0, 2))
        return done.stdout.split("Terraform will perform", 1)[-1] if done.returncode == 2 else ""

    def plan(self, *options):
        """Saves a plan in saved.tfplan; returns it as Terraform's JSON."""
        self.terraform("plan", "-no-color", "-out=saved.tfplan", *options)
        return json.loads(self.terraform("show", "-json", "saved.tfplan").stdout)

    def apply_plan(self):
        return self.terraform("apply", "-no-color", "saved.tfplan").stdout

    def set(self, **values):
        """Changes values in terraform.tfvars where they are assigned, at any depth."""
        file = self.folder / "terraform.tfvars"
        text = file.read_text()
        for name, value in values.items():
            text, count = re.subn(rf"^(\s*{name}\s+= ).*$", lambda found: found[1] + json.dumps(value), text, flags=re.M)
            if count == 0:
                text += f"{name} = {json.dumps(value)}\n"
        file.write_text(text)

    def stack(self):
        return Stack(json.loads(self.terraform("show", "-json").stdout))

    def state(self):
        return self.terraform("state", "pull").stdout


def init(folder, environment, *options):
    """Initializes without changing the lock file."""
    run(["terraform", "init", "-lockfile=readonly", "-no-color", *options], cwd=folder, env=environment)


def product_files():
    return [path for path in TERRAFORM.rglob("*.tf*") if not {".terraform", "tests"} & {*path.relative_to(TERRAFORM).parts}]


def copy_tree(source, target):
    """Copies the tree as it is in the repository, without the leftovers of earlier Terraform runs."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*", "__pycache__"))
    return target


def run_tests_of(copy, module, *options):
    """The output of `terraform test` for a module."""
    folder = copy / "modules" / module
    # Modules have no lock file of their own; the root modules' lock file applies.
    shutil.copy(copy / "bootstrap/.terraform.lock.hcl", folder)
    environment = os.environ | terraform_environment() | {"AWS_REGION": "eu-west-1"}
    init(folder, environment, "-backend=false")
    return run(["terraform", "test", "-no-color", *options], cwd=folder, env=environment)
