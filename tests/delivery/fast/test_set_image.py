"""One line of one file decides what runs: who may change it, to what, and what happens when two changes race."""

import pytest

from support.repository import NONE, VALUES

STAGING = VALUES.format("staging")


def set_image(clone, *arguments: str, **environment: str):
    return clone.run("scripts/set-image", *arguments, **environment)


def refused(result, *words: str):
    """Checks that it failed with one line that says why."""
    assert result.code == 1, result
    assert all(word in result.err.splitlines()[-1] for word in words), result


def test_changes_one_line_and_pushes_it(clone, images):
    before = clone.git("rev-parse", "HEAD")
    done = set_image(clone, "staging", images[0])
    assert done.code == 0, done
    assert clone.digest("staging") == images[0]
    assert clone.git("rev-parse", "origin/main^") == before
    assert clone.changed("origin/main") == f"1\t1\t{STAGING}"


@pytest.mark.parametrize("late", [0, 1], ids=["the older one is late", "the newer one is late"])
def test_of_two_that_race_the_newer_image_wins_and_no_commit_is_lost(clone, images, tmp_path, tools, late):
    """The late one has fetched, written and committed, and then finds that the other has pushed."""
    first, second = images[1 - late], images[late]
    other = clone.clone(tmp_path / "other")
    theirs = other.commit("Theirs", **{"README.md": "theirs"})
    hook = clone.folder / ".git/hooks/post-commit"
    hook.write_text(
        f"#!/bin/sh\n[ ! -e {tmp_path}/once ] || exit 0\ntouch {tmp_path}/once\nunset GIT_DIR GIT_INDEX_FILE\ncd {other.folder}\n"
        f"git push -q origin main && scripts/set-image staging {first}\n"
    )
    hook.chmod(0o755)
    done = set_image(clone, "staging", second)
    assert done.code == 0, done
    assert "another push to main was first" in done.err
    assert clone.digest("staging") == images[1]
    assert theirs in clone.git("log", "--format=%H", "origin/main").splitlines()
    assert len(clone.git("log", "--format=%H", "origin/main", "--", STAGING).splitlines()) == (3 if late else 2)
    assert clone.git("status", "--porcelain") == "" and clone.git("rev-parse", "HEAD") == clone.git("rev-parse", "origin/main")


def test_an_older_image_is_left_out_unless_it_is_asked_for(clone, images):
    set_image(clone, "staging", images[1])
    done = set_image(clone, "staging", images[0])
    assert done.code == 0 and "not older than" in done.err
    assert clone.digest("staging") == images[1]
    assert set_image(clone, "staging", images[0], "--older").code == 0
    assert clone.digest("staging") == images[0]


def test_an_image_that_is_gone_from_the_registry_is_replaced(clone, images):
    values = (clone.folder / STAGING).read_text().replace(NONE, "sha256:" + "5" * 64)
    clone.commit("Of long ago", **{STAGING: values})
    clone.git("push", "-q", "origin", "main")
    assert set_image(clone, "staging", images[0]).code == 0
    assert clone.digest("staging") == images[0]


@pytest.mark.parametrize("wrong", ["latest", "v1.2.3", "sha256:abc", "sha256:" + "G" * 64, "sha512:" + "0" * 64, "a" * 64])
def test_refuses_what_is_not_a_digest(clone, images, wrong):
    refused(set_image(clone, "staging", wrong), "is not a digest")


def test_refuses_a_digest_that_the_registry_does_not_have(clone, images):
    unknown = "sha256:" + "1" * 64
    refused(set_image(clone, "staging", unknown), "has no image", unknown)
    assert clone.digest("staging") == NONE


def test_a_registry_that_does_not_answer_is_no_unknown_digest(clone, images):
    refused(set_image(clone, "staging", images[0], IMAGE_REPOSITORY="127.0.0.1:1/birthday-api"), "does not answer")


def test_refuses_an_image_of_a_commit_that_was_never_merged(clone, registry, commits):
    clone.git("checkout", "-q", "-b", "feature")
    digest = registry.push(clone.commit("Not reviewed"))
    clone.git("checkout", "-q", "main")
    refused(set_image(clone, "staging", digest), "which is not on main")


def test_refuses_an_image_that_is_not_signed(clone, images, tools):
    tools.stand_in("cosign", "exit 1")
    refused(set_image(clone, "staging", images[0]), "has no valid signature")
    assert clone.digest("staging") == NONE


@pytest.mark.parametrize(
    ("state", "words"),
    [("echo changed >Cargo.toml", ["dirty"]), ("git checkout -q --detach", ["detached"]), ("git checkout -q -b feature", ["feature", "main"]),
     ("git commit -q --allow-empty -m mine", ["not pushed"])],
)  # fmt: skip
def test_refuses_a_work_tree_that_is_not_main_as_it_was_pushed(clone, images, state, words):
    assert clone.run("sh", "-c", state).code == 0
    refused(set_image(clone, "staging", images[0]), *words)


def test_a_server_that_takes_no_push_ends_it_at_once(clone, images, tmp_path):
    hook = tmp_path / "server.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    refused(set_image(clone, "staging", images[0]), "main rejected the push")
    assert clone.git("status", "--porcelain") == "" and clone.git("rev-parse", "HEAD") == clone.git("rev-parse", "origin/main")


def test_refuses_values_with_two_lines_to_change(clone, images):
    values = (clone.folder / STAGING).read_text()
    clone.commit("Twice", **{STAGING: values + f"\nother:\n  digest: {NONE}\n"})
    clone.git("push", "-q", "origin", "main")
    refused(set_image(clone, "staging", images[0]), "is not a digest")
