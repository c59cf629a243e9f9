"""From a commit to an image in the registry: how the builder is called, and that nothing is tagged that must not be."""

import re
import tomllib
from datetime import date

import pytest

from support import registry as registries
from support import workflows
from support.registry import DOCKER, Registry
from support.repository import ROOT


@pytest.fixture
def commit(clone, tools) -> str:
    tools.stand_in("docker", DOCKER)
    return clone.git("rev-parse", "HEAD")


def publish(clone, *digests: str):
    return clone.run("scripts/release-image", "publish", *digests)


@pytest.mark.parametrize("platform", ["amd64", "arm64"])
def test_a_build_names_its_bases_by_digest_and_attests(clone, commit, registry, tools, platform):
    digest = registry.push(commit, platform)
    done = clone.run("scripts/release-image", "build", f"linux/{platform}", BUILT=digest)
    assert (done.code, done.out) == (0, digest), done
    [call] = tools.calls("docker")
    bases = [line.split() for line in (ROOT / "scripts/bases.Dockerfile").read_text().splitlines() if line.startswith("FROM")]
    for _, image, _, name in bases[:2]:
        assert f"--build-arg {name}={image}" in call
    assert f"--sbom generator={bases[2][1]}" in call and "--provenance mode=max" in call
    assert f"REVISION={commit}" in call and "push-by-digest=true" in call and "rewrite-timestamp=true" in call and "--tag" not in call
    assert all("@sha256:" in image for _, image, _, _ in bases)
    # pages of 64 KiB: https://github.com/tikv/jemallocator/issues/80
    assert ("--build-arg JEMALLOC_SYS_WITH_LG_PAGE=16 " in call) == (platform == "arm64")
    assert "\nARG JEMALLOC_SYS_WITH_LG_PAGE\n" in (ROOT / "Dockerfile").read_text().partition("cargo build")[0]


@pytest.mark.parametrize(("host", "page"), [("aarch64-unknown-linux-gnu", " 16"), ("x86_64-unknown-linux-gnu", ""), ("aarch64-apple-darwin", "")])
def test_a_binary_for_linux_on_arm64_is_built_for_the_largest_pages(clone, tools, host, page):
    tools.stand_in("rustc", f"echo host: {host}")
    tools.stand_in("cargo", "echo page $JEMALLOC_SYS_WITH_LG_PAGE; exit 1")
    assert clone.run("scripts/release", "archive", "dist").out == f"page{page}"


def test_no_release_lacks_a_binary(clone):
    """After the days that GitHub keeps them, a job that is run again downloads none, without an error."""
    binary = workflows.workflow("release.yml")["jobs"]["binary"]
    assert binary["steps"][-1]["with"]["retention-days"] == 30  # as long as a run can be repeated
    targets, [version] = binary["strategy"]["matrix"]["runner"], re.findall(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)
    dist = clone.folder / "dist"
    dist.mkdir()
    (dist / f"birthday-api-chart-{version}.tgz").touch()
    for number, target in enumerate(targets):
        done = clone.run("scripts/release", "checksums", "dist")
        assert done.code == 1 and f"{number} of {len(targets)} binaries" in done.err and not (dist / "SHA256SUMS").exists(), done
        (dist / f"birthday-api-{version}-{target}.tar.gz").touch()
    assert clone.run("scripts/release", "checksums", "dist").code == 0
    assert len((dist / "SHA256SUMS").read_text().splitlines()) == len(targets) + 1


def test_a_chart_that_was_pushed_is_kept(clone, registry, tools):
    """Its tag must not move when the job is run again: `helm package` never packs the same file twice."""
    [version] = re.findall(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)
    charts = Registry(registry.address, f"{registry.name}/charts/birthday-api")
    helm = f'case $1 in push) crane tag {charts.repository}@$FIRST {version} ;; *) touch dist/birthday-api-{version}.tgz ;; esac'
    tools.stand_in("helm", helm)
    more = {"CHART_REPOSITORY": charts.repository.rpartition("/")[0], "FIRST": charts.push("a" * 40)}
    for command, prints, calls in (("chart", "", ["package"]), ("push", more["FIRST"], ["package", "push"]), ("chart", "", ["package", "push", "pull"]), ("push", more["FIRST"], ["package", "push", "pull"])):
        done = clone.run("scripts/release", command, "dist", **more)
        assert (done.code, done.out) == (0, prints), done
        assert [call.split()[0] for call in tools.calls("helm")] == calls


def test_the_chart_gets_its_tag_after_the_attestations_of_what_it_runs():
    steps = workflows.workflow("release.yml")["jobs"]["publish"]["steps"]
    order = [step.get("id") or step.get("with", {}).get("subject-name") or "files" for step in steps if "id" in step or "actions/attest@" in step.get("uses", "")]
    assert order == ["image", "files", "${{ env.IMAGE_REPOSITORY }}", "chart", "${{ env.CHART_REPOSITORY }}/birthday-api"]


@pytest.mark.parametrize("path", ["Dockerfile", "scripts/release", "README.md"])
def test_every_binary_that_is_delivered_uses_jemalloc(path: str):
    builds = re.findall(r"(?m)\bcargo (?:build|rustc|install|cyclonedx) .*", (ROOT / path).read_text())
    assert builds and all("--features jemalloc" in build for build in builds), builds


def test_the_licences_and_advisories_of_jemalloc_are_checked():
    assert tomllib.loads((ROOT / "deny.toml").read_text())["graph"]["all-features"]


def test_what_the_pages_say_to_install_is_the_version_of_cargo_toml():
    [version] = re.findall(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)
    named = [re.findall(r"(?:ghcr\.io/\S+:|ghcr\.io/\S+ --version |--tag v)(\d[\w.-]*\w)", (ROOT / page).read_text()) for page in ("README.md", "docs/try-it.md")]
    assert all(named) and {each for page in named for each in page} == {version}


def test_the_bases_are_those_of_the_dockerfile():
    defaults = [line.removeprefix("ARG ") for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("ARG ") and "_IMAGE=" in line]
    pinned = [line.split() for line in (ROOT / "scripts/bases.Dockerfile").read_text().splitlines() if line.startswith("FROM")]
    assert defaults == [f"{name}={image.split('@')[0]}" for _, image, _, name in pinned[:2]]
    channel = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    assert channel.startswith(re.search(r"rust:([\d.]+)-", defaults[0])[1] + "."), "the image is built with the compiler of the tests"


def test_every_platform_is_scanned_before_there_is_a_tag(clone, commit, registry, tools):
    digests = [registry.push(commit, platform) for platform in ("amd64", "arm64")]
    tools.stand_in("grype", f'case "$1" in *{digests[1]}) exit 2 ;; esac')
    done = publish(clone, *digests)
    assert done.code == 1 and digests[1] in done.err and "vulnerabilities" in done.err
    assert registry.tags() == set()
    assert [call.split()[0].split("@")[1] for call in tools.calls("grype") if call.startswith("registry:")] == digests
    assert all("--only-fixed --fail-on high" in call for call in tools.calls("grype"))


def test_a_commit_is_released_once(clone, commit, registry, tools):
    first = publish(clone, registry.push(commit)).out
    again = registry.push(commit, built="again")
    assert publish(clone, again).out == first
    assert registry.tags() == {commit}
    done = clone.run("scripts/release-image", "build", "linux/amd64", BUILT=again)
    assert done.code == 0 and done.out != again, "built although it is released"
    assert not [call for call in tools.calls("docker") if call.startswith("buildx build")]


def test_an_image_of_another_commit_is_not_released(clone, commit, registry, tools):
    done = publish(clone, registry.push("a" * 40))
    assert done.code == 1 and "not from" in done.err, done
    assert registry.tags() == set()


def test_a_dirty_tree_is_not_released(clone, commit):
    (clone.folder / "Cargo.toml").write_text("changed")
    for command in (["build"], ["publish", "sha256:" + "1" * 64]):
        done = clone.run("scripts/release-image", *command)
        assert done.code == 1 and "dirty" in done.err, done


def test_without_a_key_the_workflow_on_main_is_who_must_have_signed(clone, tools):
    digest = "sha256:" + "1" * 64
    clone.run("scripts/signature", "verify", digest, GITHUB_REPOSITORY="owner/name")
    [call] = tools.calls("cosign")
    assert "--certificate-identity https://github.com/owner/name/.github/workflows/image.yml@refs/heads/main" in call
    assert "--certificate-oidc-issuer https://token.actions.githubusercontent.com" in call


def test_logs_in_with_the_password_of_the_moment(clone, tools, tmp_path):
    users = "AWS:$2b$05$mS2.nCfe.ZpfFtvO538MiOvAsDglWTC/pLdnUNp7LjN9wqEH.tglm\n"
    with registries.running(tmp_path / "closed", users) as closed:
        clone.environment["IMAGE_REPOSITORY"] = closed.repository
        look = ["crane", "ls", closed.repository]
        assert "UNAUTHORIZED" in clone.run(*look).err
        tools.stand_in("aws", "echo of-the-moment")
        assert clone.run("scripts/registry-login").code == 0
        assert tools.calls("aws") == ["ecr get-login-password"]
        assert "UNAUTHORIZED" not in clone.run(*look).err


def test_the_image_that_an_environment_holds_is_scanned(clone, commit, registry, tools):
    done = clone.run("scripts/scan", "staging")
    assert done.code == 0 and "holds no image yet" in done.err and not tools.calls("grype")
    platforms = [registry.push(commit, platform) for platform in ("amd64", "arm64")]
    digest = publish(clone, *platforms).out
    before = len(tools.calls("grype"))
    assert clone.run("scripts/set-image", "staging", digest).code == 0
    clone.commit("Update a crate", **{"Cargo.lock": "newer than the image"})
    clone.git("push", "-q", "origin", "main")
    tools.stand_in("grype", f'case $1 in dir:*) cmp "${{1#dir:}}/Cargo.lock" {ROOT}/Cargo.lock ;; esac')
    done = clone.run("scripts/scan", "staging")
    assert done.code == 0, done
    *scanned, crates = tools.calls("grype")[before:]
    assert scanned == [f"registry:{registry.repository}@{each} --only-fixed --fail-on high" for each in platforms]
    assert re.fullmatch("dir:.* --only-fixed --fail-on high", crates)
    done = clone.run("scripts/scan", registry.push("a" * 40))
    assert done.code == 1 and "this clone lacks aaaa" in done.err, done


def test_an_output_of_a_step_is_kept_whole(clone, tmp_path):
    text = "first\nEOF\nname=other\n"
    (tmp_path / "text").write_text(text)
    file = tmp_path / "output"
    done = clone.run("sh", "-c", f"scripts/github-output plan <{tmp_path}/text", GITHUB_OUTPUT=str(file))
    assert done.code == 0 and done.out == text.strip()
    assert workflows.outputs(file.read_text()) == {"plan": text.strip()}
    assert clone.run("sh", "-c", "printf '' | scripts/github-output plan").code == 1


def test_an_audit_names_everything_that_has_a_vulnerability_or_is_soon_unsupported(clone, tools):
    for name, day in {"a": "2100-01-01", "b": date.today()}.items():
        (folder := clone.folder / "terraform/environments" / name).mkdir(parents=True)
        (folder / "terraform.tfvars").write_text(f"# 1.0 is in standard support until {day}.\n")
    clone.commit("Locks", **{"scripts/package-lock.json": "{}", "tools/package-lock.json": "{}"})
    for name, script in {"cargo-deny": "", "npm": "exit 1", "uv": "exit 1"}.items():
        tools.stand_in(name, script)
    done = clone.run("scripts/audit")
    assert done.code == 1 and done.err == "audit: vulnerable, or soon unsupported: scripts tools python kubernetes", done
