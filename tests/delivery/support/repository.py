"""Throwaway git repositories with the parts of this one that the delivery scripts use."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from common.start import ROOT

NONE = "sha256:" + "0" * 64
VALUES = "gitops/environments/{}/birthday-api.yaml"

# Without the caller's own settings of git, docker or the delivery.
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "GITHUB_", "DOCKER_", "COSIGN_")) and k not in (
    "IMAGE_REPOSITORY", "GITOPS_REPOSITORY", "SIGNING_KEY", "BASES")}  # fmt: skip
PERSON = {"GIT_AUTHOR_NAME": "test", "GIT_AUTHOR_EMAIL": "test@example.test", "GIT_COMMITTER_NAME": "test",
          "GIT_COMMITTER_EMAIL": "test@example.test", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}  # fmt: skip


@dataclass
class Result:
    code: int
    out: str
    err: str


class Repository:
    """A working clone. `environment` is added to the environment of its scripts."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder = folder
        self.environment = CLEAN | PERSON | environment

    def run(self, *command: str | Path, limit: float = 60, **more: str) -> Result:
        options = {"cwd": self.folder, "env": self.environment | more, "text": True, "stdin": subprocess.DEVNULL, "timeout": limit}
        done = subprocess.run(command, capture_output=True, **options)
        return Result(done.returncode, done.stdout.strip(), done.stderr.strip())

    def git(self, *arguments: str) -> str:
        done = self.run("git", *arguments)
        assert done.code == 0, done
        return done.out

    def commit(self, message: str, **files: str) -> str:
        for path, text in files.items():
            (self.folder / path).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def clone(self, folder: Path) -> "Repository":
        subprocess.run(["git", "clone", "-q", self.git("config", "remote.origin.url"), folder], check=True)
        return Repository(folder, self.environment)

    def digest(self, environment: str, at: str = "origin/main") -> str:
        """The digest that the environment holds on the server, where Argo CD reads it."""
        self.git("fetch", "-q", "origin")
        lines = self.git("show", f"{at}:{VALUES.format(environment)}").splitlines()
        [line] = [line for line in lines if line.strip().startswith("digest:")]
        return line.removeprefix("  digest: ")

    def merge(self, digest: str) -> None:
        """Merges the pull request of an image, as an owner does."""
        self.git("fetch", "-q", "origin")
        self.git("merge", "-q", "--no-ff", "-m", "Merge the pull request", f"origin/deliver/{digest[7:19]}")
        self.git("push", "-q", "origin", "main")

    def changed(self, commit: str) -> str:
        return self.git("show", "--numstat", "--format=", commit)


def server(folder: Path, paths: list[str] | None = None) -> Path:
    """A bare repository whose main holds these paths of this repository, or all, as they are now, with no image deployed."""
    work, bare = folder / "work", folder / "origin.git"
    tracked = Repository(ROOT, {}).git("ls-files", "-co", "--exclude-standard").split()
    for path in paths or [path for path in tracked if (ROOT / path).exists()]:
        source, target = ROOT / path, work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".terraform", "build"))
        else:
            shutil.copy2(source, target)
    for environment in ("staging", "production"):
        values = work / VALUES.format(environment)
        if values.exists():
            values.write_text("".join(
                f"  digest: {NONE}\n" if line.startswith("  digest: ") else line for line in values.read_text().splitlines(True)))  # fmt: skip
    repository = Repository(work, {})
    subprocess.run(["git", "init", "-q", "-b", "main", work], check=True)
    repository.commit("As it is")
    subprocess.run(["git", "clone", "-q", "--bare", work, bare], check=True)
    shutil.rmtree(work)
    return bare
