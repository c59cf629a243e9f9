"""Staging's cluster follows the commits that the delivery makes."""

import pytest
from deployed import deployed, follows, serving

from lib import cluster as c

pytestmark = pytest.mark.usefixtures("installed")


def test_argo_cd_rolls_the_first_release_out(clone, chain):
    c.eventually("the Deployment is there", lambda: deployed() == chain["first"], 60)
    chain.saw(f"Argo CD     staging: Deployment carries {chain['first']}")


def test_a_push_of_the_delivery_is_synced_and_serves(clone, chain):
    done = clone.run("scripts/set-image", "staging", chain["second"])
    assert done.code == 0, done
    commit = clone.git("rev-parse", "origin/main")
    follows(commit, chain["second"])
    chain.saw(f"Argo CD     staging: synced {commit[:12]}, Deployment carries {chain['second']}")
    c.eventually("all that serves is the second release", lambda: serving() == {chain["second"]}, 300)
    chain.saw("Flagger     staging: every pod that serves is of that digest")
    chain["staging"] = deployed()
