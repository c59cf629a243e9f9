import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def charts(tmp_path_factory) -> Path:
    """Third-party charts that come with Go modules."""
    folder = tmp_path_factory.mktemp("charts")
    subprocess.run([Path(__file__).parent / "lib" / "charts", folder], check=True, capture_output=True)
    return folder
