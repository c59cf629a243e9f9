"""Terraform's root modules in a copy of the tree: nothing is ever applied in the repository itself."""

import json
import os
import shutil
import subprocess

from stack import Stack
from tools import terraform_environment

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
        done = subprocess.run(
            ["terraform", *arguments], cwd=self.folder, env=self.environment, text=True, capture_output=True
        )
        said = done.stdout + done.stderr
        assert done.returncode in accept, f"terraform {' '.join(arguments)} in {self.name}:\n{said[-8000:]}"
        return done

    def init(self):
        self.terraform("init", "-no-color", "-lockfile=readonly")

    def apply(self, **variables):
        return self.terraform("apply", "-no-color", "-auto-approve", *assignments(variables)).stdout

    def destroy(self, **variables):
        return self.terraform("destroy", "-no-color", "-auto-approve", *assignments(variables)).stdout

    def plan_again(self, **variables):
        """What a plan would still change: nothing, or its text."""
        done = self.terraform("plan", "-no-color", "-detailed-exitcode", *assignments(variables), accept=(0, 2))
        return done.stdout if done.returncode == 2 else ""

    def plan(self, **variables):
        """A plan as Terraform prints it in JSON; the file is kept as `plan.json` for leaks to be looked for."""
        self.terraform("plan", "-no-color", "-out=saved.tfplan", *assignments(variables))
        text = self.terraform("show", "-json", "saved.tfplan").stdout
        return json.loads(text)

    def stack(self):
        return Stack(json.loads(self.terraform("show", "-json").stdout))

    def state(self):
        return self.terraform("state", "pull").stdout


def assignments(variables):
    return [f"-var={name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in variables.items()]


def copy_tree(source, target):
    """The tree as it is in the repository: without what earlier runs of Terraform left."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*", "__pycache__", "tests"))
    return target
