"""Production gets what staging has tested, by a pull request; either environment goes back by one command."""

from support.repository import NONE, VALUES, Repository


def ok(result) -> str:
    assert result.code == 0, result
    return result.err


def stage(clone: Repository, *images: str) -> None:
    for image in images:
        ok(clone.run("scripts/set-image", "staging", image))


def release(clone: Repository, *images: str) -> None:
    """Each of them through staging, promoted, and the pull request merged by an owner."""
    for image in images:
        stage(clone, image)
        ok(clone.run("scripts/promote"))
        merge(clone, image)


def merge(clone: Repository, image: str) -> None:
    clone.git("fetch", "-q", "origin")
    clone.git("merge", "-q", "--no-ff", "-m", "Merge the pull request", f"origin/deliver/{image[7:19]}")
    clone.git("push", "-q", "origin", "main")


def test_promote_proposes_the_digest_of_staging_and_pushes_nothing_to_main(clone, images):
    stage(clone, images[0])
    before = clone.git("rev-parse", "origin/main")
    branch = f"deliver/{images[0][7:19]}"
    assert branch in ok(clone.run("scripts/promote"))
    assert clone.digest("production") == NONE and clone.git("rev-parse", "origin/main") == before
    assert clone.digest("production", f"origin/{branch}") == images[0]
    assert clone.changed(f"origin/{branch}") == f"1\t1\t{VALUES.format('production')}"
    assert clone.git("rev-parse", "HEAD") == before and clone.git("status", "--porcelain") == ""


def test_promote_again_proposes_the_same_on_the_newest_main(clone, images):
    stage(clone, images[0])
    ok(clone.run("scripts/promote"))
    newest = clone.commit("Something else")
    clone.git("push", "-q", "origin", "main")
    ok(clone.run("scripts/promote"))
    clone.git("fetch", "-q", "origin")
    assert clone.git("rev-parse", f"origin/deliver/{images[0][7:19]}^") == newest


def test_promote_needs_an_image_in_staging(clone):
    done = clone.run("scripts/promote")
    assert done.code == 1 and "staging holds no image yet" in done.err


def test_production_refuses_what_staging_has_never_held(clone, images):
    stage(clone, images[0])
    done = clone.run("scripts/set-image", "production", images[1])
    assert done.code == 1 and "staging has never held" in done.err, done


def test_the_pull_request_is_opened_once_and_ci_started_for_it(clone, images, tools, tmp_path):
    """A workflow's pull requests start no workflows, so it has to."""
    stage(clone, images[0])
    clone.git("remote", "set-url", "origin", "https://github.com/birthday-api/birthday-api.git")
    clone.git("config", f"url.{tmp_path}/server.git.insteadOf", "https://github.com/birthday-api/birthday-api.git")
    tools.stand_in("gh", f'case "$*" in "pr list"*) cat {tmp_path}/open ;; "pr create"*) echo https://example.test/1 | tee {tmp_path}/open ;; esac')
    (tmp_path / "open").write_text("")
    for _ in range(2):
        ok(clone.run("scripts/promote", GITHUB_ACTIONS="true"))
    branch = f"deliver/{images[0][7:19]}"
    asked = tools.calls("gh")
    assert [call.split(" --title")[0] for call in asked if "create" in call] == [f"pr create --base main --head {branch}"]
    assert asked.count(f"workflow run ci.yml --ref {branch}") == 2
    tools.stand_in("gh")
    ok(clone.run("scripts/promote"))
    assert not [call for call in tools.calls("gh")[len(asked):] if call.startswith("workflow")], "a person's pull request starts ci by itself"


def test_rollback_of_staging_goes_back_one_release_at_a_time(clone, images):
    stage(clone, *images)
    for expected in (images[1], images[0]):
        ok(clone.run("scripts/rollback", "staging"))
        assert clone.digest("staging") == expected
    done = clone.run("scripts/rollback", "staging")
    assert done.code == 1 and "has held no image that is older" in done.err
    assert clone.digest("staging") == images[0]


def test_after_a_rollback_the_next_release_comes_by_itself(clone, images, registry):
    stage(clone, images[0], images[1])
    ok(clone.run("scripts/rollback", "staging"))
    stage(clone, images[2])
    assert clone.digest("staging") == images[2]


def test_rollback_of_production_is_a_pull_request_with_the_image_before(clone, images):
    release(clone, images[0], images[2])
    before = clone.digest("production")
    ok(clone.run("scripts/rollback", "production"))
    assert clone.digest("production") == before == images[2]
    merge(clone, images[0])
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


def test_rollback_needs_something_to_go_back_from(clone):
    done = clone.run("scripts/rollback", "production")
    assert done.code == 1 and "holds no image yet" in done.err


def test_gitops_in_a_repository_of_its_own_is_one_variable(clone, images, environment, tmp_path):
    """The folder moves, history and all; the service's repository gets no commit any more."""
    import shutil
    import subprocess

    own = tmp_path / "own"
    subprocess.run(["git", "clone", "-q", tmp_path / "server.git", own], check=True)
    moved = Repository(own, environment)
    moved.git("rm", "-q", "-r", "scripts", "Cargo.toml")
    moved.commit("Keep gitops alone")
    subprocess.run(["git", "clone", "-q", "--bare", own, tmp_path / "own.git"], check=True)
    shutil.rmtree(own)
    before = clone.git("ls-remote", "origin")
    clone.environment["GITOPS_REPOSITORY"] = str(tmp_path / "own.git")
    moved = Repository(tmp_path / "seen", environment)
    subprocess.run(["git", "clone", "-q", tmp_path / "own.git", moved.folder], check=True)

    stage(clone, images[0], images[1])
    assert moved.digest("staging") == images[1]
    ok(clone.run("scripts/promote"))
    moved.git("fetch", "-q", "origin")
    assert moved.digest("production", f"origin/deliver/{images[1][7:19]}") == images[1]
    ok(clone.run("scripts/rollback", "staging"))
    assert moved.digest("staging") == images[0]
    assert clone.git("ls-remote", "origin") == before
