"""Programs that the tests run, and Terraform's settings."""

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "birthday-api-terraform"
TRIES = 3
PACKAGES = [Path(__file__).with_name(name) for name in ("package.json", "package-lock.json")]


def run(command, tries=1, **options):
    """Runs a command; if it fails, the error contains its output."""
    for attempt in range(1, tries + 1):
        done = subprocess.run(command, text=True, capture_output=True, **options)
        if done.returncode == 0:
            return done.stdout
    raise AssertionError(f"{' '.join(map(str, command))} (attempt {attempt}):\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")


@functools.cache
def iam_simulator():
    """A folder whose node_modules contains an evaluator of IAM policies, with AWS's list of actions."""
    target = CACHE / f"iam-{hashlib.sha256(PACKAGES[1].read_bytes()).hexdigest()[:12]}"
    if not target.exists():  # It is installed completely or not at all.
        part = target.with_name(f"{target.name}.{os.getpid()}")
        part.mkdir(parents=True)
        for file in PACKAGES:
            shutil.copy(file, part)
        run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=part, tries=TRIES)
        part.rename(target)
    return target


@functools.cache
def terraform_environment():
    """Settings for Terraform in these tests: no prompts, no calls home, and a provider mirror if there is one."""
    settings = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
    configured = os.environ.get("TF_CLI_CONFIG_FILE")
    if configured and Path(configured).exists():
        return settings
    return settings | {"TF_CLI_CONFIG_FILE": str(write_cli_configuration())}


def fill_plugin_cache():
    """Once, before anything in parallel: two `terraform init` that download a provider break it, https://github.com/hashicorp/terraform/issues/31964."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("versions.tf", ".terraform.lock.hcl"):
            shutil.copy(Path(__file__).parents[1] / "bootstrap" / name, folder)
        run(["terraform", "init", "-lockfile=readonly", "-no-color"], tries=TRIES, cwd=folder, env=os.environ | terraform_environment())


def write_cli_configuration():
    """Providers come from a mirror on this machine if one is in a usual place, else from the registry."""
    mirrors = [
        found.parents[1] for place in ("/opt", "/usr/local/share", "/usr/share", "/var/lib") for found in Path(place).glob("*/registry.terraform.io/hashicorp")
    ]
    CACHE.mkdir(parents=True, exist_ok=True)
    file = CACHE / "terraform.rc"
    block = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirrors[0]}"\n  }}\n}}\n' if mirrors else ""
    # Without a mirror the provider is downloaded once, not once per folder.
    plugins = "" if mirrors else f'plugin_cache_dir = "{CACHE / "plugins"}"\n'
    (CACHE / "plugins").mkdir(exist_ok=True)
    file.write_text(f"disable_checkpoint = true\n{block}{plugins}")
    return file
