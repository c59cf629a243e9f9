"""Production's cluster gets the same image that staging ran, and rolls back."""

import pytest
from deployed import deployed, follows, serving

from lib import cluster as c

pytestmark = pytest.mark.usefixtures("installed")


def test_production_runs_the_release_before(chain):
    c.eventually("the Deployment is there", lambda: deployed() == chain["first"], 60)
    chain.saw(f"Argo CD     production: Deployment carries {chain['first']}")


def test_promoted_it_carries_the_digest_of_staging(clone, chain):
    done = clone.run("scripts/promote")
    assert done.code == 0, done
    assert clone.digest("production") == chain["first"], "nothing happens before the pull request is merged"
    clone.merge(chain["second"])
    commit = clone.git("rev-parse", "HEAD")
    follows(commit, chain["second"])
    assert deployed() == chain["staging"]
    chain.saw(f"Argo CD     production: synced {commit[:12]}, Deployment carries {deployed()}, as staging did")
    c.eventually("all that serves is the second release", lambda: serving() == {chain["second"]}, 300)
    chain.saw("Flagger     production: every pod that serves is of that digest")


def test_rolled_back_it_carries_the_one_before(clone, chain):
    done = clone.run("scripts/rollback", "production")
    assert done.code == 0, done
    clone.merge(chain["first"])
    commit = clone.git("rev-parse", "HEAD")
    follows(commit, chain["first"])
    chain.saw(f"Argo CD     production: rolled back by {commit[:12]}, Deployment carries {chain['first']}")
    c.eventually("all that serves is the first release again", lambda: serving() == {chain["first"]}, 300)
    chain.saw("Flagger     production: every pod that serves is of that digest")
