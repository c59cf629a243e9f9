"""Production gets what staging serves by pull request; one command rolls either environment back."""

import json
import subprocess

import pytest

from support.repository import NONE, VALUES, Repository


def ok(result) -> str:
    assert result.code == 0, result
    return result.err


def stage(clone: Repository, *images: str) -> None:
    for image in images:
        ok(clone.run("scripts/set-image", "staging", image))


def release(clone: Repository, *images: str) -> None:
    """Deploys each image to staging, promotes it, and merges the pull request as an owner."""
    for image in images:
        stage(clone, image)
        ok(clone.run("scripts/promote"))
        clone.merge(image)


def test_promote_proposes_the_digest_of_staging_and_pushes_nothing_to_main(clone, images):
    stage(clone, images[0])
    before = clone.git("rev-parse", "origin/main")
    branch = f"deliver/{images[0][7:19]}"
    assert branch in ok(clone.run("scripts/promote"))
    assert clone.digest("production") == NONE and clone.git("rev-parse", "origin/main") == before
    assert clone.digest("production", f"origin/{branch}") == images[0]
    assert clone.changed(f"origin/{branch}") == f"1\t1\t{VALUES.format('production')}"
    assert clone.git("rev-parse", "HEAD") == before and clone.git("status", "--porcelain") == ""


def on_github(clone: Repository, tools, tmp_path) -> None:
    """The server is GitHub as the scripts see it: pull requests stay open, and staging reports what it serves."""
    clone.git("remote", "set-url", "origin", "https://github.com/birthday-api/birthday-api.git")
    clone.git("config", f"url.{tmp_path}/server.git.insteadOf", "https://github.com/birthday-api/birthday-api.git")
    tools.stand_in("gh", f'case "$*" in api*) echo success ;; "pr list"*) cat {tmp_path}/open ;; "pr create"*) echo https://example.test/1 | tee {tmp_path}/open ;; esac')
    (tmp_path / "open").write_text("")


def created(tools) -> list[str]:
    return [call for call in tools.calls("gh") if call.startswith("pr create")]


def reports(tools, tmp_path, statuses: dict[str, list[tuple[str, str]]]) -> None:
    """Sets the statuses that gh finds: for each commit (context, state), the newest first."""
    for commit, found in statuses.items():
        (tmp_path / commit).write_text(json.dumps([{"context": context, "state": state} for context, state in found]))
    known = f'commit=${{2%/statuses}}; file={tmp_path}/${{commit##*/}}'
    tools.stand_in("gh", f'{known}; if [ -e $file ]; then cat $file; else echo "[]"; fi | jq -r "$4"')


@pytest.mark.parametrize(
    ("found", "promoted"),
    [
        ([("staging/{new}", "success")], True),
        ([("staging/{new}", "success"), ("staging/{new}", "failure")], True),
        ([("staging/{new}", "failure"), ("staging/{new}", "success")], False),
        ([("staging/{old}", "success"), ("staging/rolled-out", "success")], False),
        ([], False),
    ],
)
@pytest.mark.parametrize("later", [False, True], ids=["on the commit that wrote it", "on a later commit"])
def test_promote_refuses_a_digest_that_staging_does_not_report(clone, images, tools, tmp_path, found, promoted, later):
    stage(clone, images[0], images[1])
    commit = clone.git("rev-parse", "origin/main")
    if later:
        clone.git("pull", "-q")
        commit = clone.commit("Something else")
        clone.git("push", "-q", "origin", "main")
    reports(tools, tmp_path, {commit: [(context.format(old=images[0], new=images[1]), state) for context, state in found]})
    done = clone.run("scripts/promote")
    assert done.code == (0 if promoted else 1) and ("has not reported" in done.err) != promoted, done


def test_that_github_does_not_answer_is_no_verdict(clone, images, tools):
    stage(clone, images[0])
    tools.stand_in("gh", "exit 1")
    done = clone.run("scripts/promote")
    assert done.code == 1 and "GitHub does not answer" in done.err, done


@pytest.mark.parametrize(
    ("health", "pods", "promoted"), [("Healthy", [0], True), ("Degraded", [0], False), ("Healthy", [0, 1], False), ("Healthy", [1], False)]
)
def test_with_a_cluster_at_hand_promote_asks_the_application(clone, images, registry, tools, health, pods, promoted):
    stage(clone, images[0])
    found = {"health": {"status": health}, "sync": {"status": "Synced"}, "summary": {
        "images": ["istio/proxyv2:1", *(f"{registry.repository}@{images[pod]}" for pod in pods)]}}  # fmt: skip
    tools.stand_in("kubectl", f"echo '{json.dumps({'status': found})}'")
    done = clone.run("scripts/promote", STAGING_CONTEXT="staging")
    assert done.code == (0 if promoted else 1) and ("has not reported" in done.err) != promoted, done
    assert tools.calls("kubectl") == ["--context staging get application birthday-api -n argocd -o json"]


def test_promote_platform_makes_production_s_versions_those_of_staging(clone):
    versions, new = "gitops/environments/{}/versions.yaml", "istio: 2.0.0\nflagger: 1.0.0\n"
    commit = clone.commit("Try a version", **{versions.format("production"): "istio: 1.0.0\n", versions.format("staging"): new})
    clone.git("push", "-q", "origin", "main")
    ok(clone.run("scripts/promote", "platform"))
    clone.git("fetch", "-q", "origin")
    [branch] = [line.strip() for line in clone.git("branch", "-r").splitlines() if "deliver/" in line]
    assert clone.git("show", f"{branch}:{versions.format('production')}") == new.strip()
    assert clone.git("rev-parse", f"{branch}^") == clone.git("rev-parse", "origin/main") == commit
    clone.git("merge", "-q", branch)
    clone.git("push", "-q", "origin", "main")
    done = clone.run("scripts/promote", "platform")
    assert done.code == 1 and "already" in done.err, done


@pytest.mark.parametrize(("command", "held"), [("promote", "staging"), ("rollback", "staging"), ("rollback", "production")])
def test_without_an_image_there_is_nothing_to_promote_or_to_go_back_from(clone, command, held):
    done = clone.run(f"scripts/{command}", *([held] if command == "rollback" else []))
    assert done.code == 1 and f"{held} holds no image yet" in done.err


def test_production_refuses_what_staging_has_never_held(clone, images):
    stage(clone, images[0])
    done = clone.run("scripts/set-image", "production", images[1])
    assert done.code == 1 and "staging has never held" in done.err, done


def test_promoted_again_on_a_newer_main_it_is_the_same_pull_request(clone, images, tools, tmp_path):
    stage(clone, images[0])
    on_github(clone, tools, tmp_path)
    branch = f"deliver/{images[0][7:19]}"
    for change in ("One", "Two"):
        newest = clone.commit(change)
        clone.git("push", "-q", "origin", "main")
        ok(clone.run("scripts/promote"))
        clone.git("fetch", "-q", "origin")
        assert clone.git("rev-parse", f"origin/{branch}^") == newest
    [call] = created(tools)
    assert call.startswith(f"pr create --base main --head {branch} ") and call.endswith(": it serves in staging.")


def test_rollback_of_staging_goes_back_one_release_at_a_time_and_the_next_comes_by_itself(clone, images):
    stage(clone, *images)
    for expected in (images[1], images[0]):
        ok(clone.run("scripts/rollback", "staging"))
        assert clone.digest("staging") == expected
    done = clone.run("scripts/rollback", "staging")
    assert done.code == 1 and "has held no image that is older" in done.err
    assert clone.digest("staging") == images[0]
    stage(clone, images[1])
    assert clone.digest("staging") == images[1]


def test_rollback_of_production_is_a_pull_request_with_the_image_before(clone, images, tools, tmp_path):
    release(clone, images[0], images[2])
    on_github(clone, tools, tmp_path)
    before = clone.digest("production")
    ok(clone.run("scripts/rollback", "production"))
    assert clone.digest("production") == before == images[2]
    [call] = created(tools)
    assert call.endswith(": production has held it before.")
    clone.merge(images[0])
    assert clone.digest("production") == images[0] and clone.digest("staging") == images[2]


def test_rollback_passes_over_an_image_that_the_registry_no_longer_has(clone, images, commits):
    stage(clone, images[0])
    values = clone.folder / VALUES.format("staging")
    gone = values.read_text().replace(images[0], "sha256:" + "7" * 64)
    clone.commit("Expired", **{VALUES.format("staging"): gone})
    clone.git("push", "-q", "origin", "main")
    stage(clone, images[2])
    ok(clone.run("scripts/rollback", "staging"))
    assert clone.digest("staging") == images[0]


def test_gitops_in_a_repository_of_its_own_is_one_variable(clone, images, environment, tmp_path):
    """The folder moves with its history; the service's repository gets no more commits."""
    server = tmp_path / "own.git"
    subprocess.run(["git", "clone", "-q", "--bare", tmp_path / "server.git", server], check=True)
    subprocess.run(["git", "clone", "-q", server, tmp_path / "own"], check=True)
    moved = Repository(tmp_path / "own", environment)
    moved.git("rm", "-q", "-r", "scripts", "Cargo.toml")
    moved.commit("Keep gitops alone")
    moved.git("push", "-q", "origin", "main")
    before = clone.git("ls-remote", "origin")
    clone.environment["GITOPS_REPOSITORY"] = str(server)

    stage(clone, images[0], images[1])
    assert moved.digest("staging") == images[1]
    ok(clone.run("scripts/promote"))
    moved.git("fetch", "-q", "origin")
    assert moved.digest("production", f"origin/deliver/{images[1][7:19]}") == images[1]
    ok(clone.run("scripts/rollback", "staging"))
    assert moved.digest("staging") == images[0]
    assert clone.git("ls-remote", "origin") == before
