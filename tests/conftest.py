"""Each test starts in a directory of its own, with no settings in the environment, and leaves no state behind."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The machines that run the tests are shared: how long one example takes says nothing. The examples are the same in each
# run; with OTFLOW_TEST_EXPLORE=1 they are new ones.
hypothesis.settings.register_profile("otflow", deadline=None, derandomize="OTFLOW_TEST_EXPLORE" not in os.environ)
hypothesis.settings.load_profile("otflow")

_PREFIXES = ("OTFLOW_", "MLFLOW_", "OTEL_")
_OURS = "OTFLOW_TEST_"


@pytest.fixture(autouse=True)
def isolation(tmp_path: Path) -> Iterator[None]:
    # Not the fixture `monkeypatch`: what a test sets by it must be gone before `reset` reads the settings again.
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
        for name in list(os.environ):
            if name.startswith(_PREFIXES) and not name.startswith(_OURS):
                patch.delenv(name)
        patch.setenv("OTFLOW_CREDENTIALS_FILE", str(tmp_path / "credentials"))  # not those of whoever runs the tests
        yield
        if "otflow.context" in sys.modules:  # else there is no state to forget
            from otflow.testing import reset

            reset()
