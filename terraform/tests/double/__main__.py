"""An AWS API double: moto, with the calls and fields that Terraform's provider needs and moto lacks.

Everything stays in memory. It shows wiring, order, a clean second plan, changes in place
and destroy; it does not show that AWS would accept every value, because moto checks
little. Run it with `python -m double PORT`; it listens on the loopback interface only.
"""

import sys

from moto.core import config

# A rotation calls the function, but never in a container.
config.default_user_config["lambda"]["use_docker"] = False

from moto.server import main  # noqa: E402

from . import eks, rds, services  # noqa: E402, F401

main(["-H", "127.0.0.1", "-p", sys.argv[1]])
