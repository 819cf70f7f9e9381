"""A finished small round, made once for all tests that look at one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.commands import run_rounds
from tests.agent.small import SETTINGS, make_workspace


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Iterator[Path]:
    """A workspace after one round on a small synthetic cohort; tests must not change it."""
    folder = tmp_path_factory.mktemp("finished")
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    root = make_workspace(folder)
    run_rounds(root, settings=SETTINGS, no_review=True)
    yield root
    patch.undo()
