"""The servers, each started once."""

from importlib.util import find_spec

import pytest

from tests.servers.rude import RudeServer
from tests.servers.tiny_llm import build_checkpoint, serve
from tests.servers.tiny_vision import build_vision_checkpoint


@pytest.fixture(scope="session")
def tiny_server(tmp_path_factory):
    """A real server with a tiny random model: its base URL and the model's name."""
    for library in ("transformers", "fastapi", "uvicorn"):
        if find_spec(library) is None:
            pytest.skip(f"no {library}: pip install 'voxcurate[llm]' fastapi uvicorn")
    checkpoint = build_checkpoint(tmp_path_factory.mktemp("tiny"))
    with serve(checkpoint, tmp_path_factory.mktemp("home")) as url:
        yield url, str(checkpoint)


@pytest.fixture(scope="session")
def seeing_server(tmp_path_factory):
    """A real server with a tiny random model that takes pictures: its base URL, its name."""
    for library in ("transformers", "fastapi", "uvicorn"):
        if find_spec(library) is None:
            pytest.skip(f"no {library}: pip install 'voxcurate[llm]' fastapi uvicorn")
    checkpoint = build_vision_checkpoint(tmp_path_factory.mktemp("vision"))
    with serve(checkpoint, tmp_path_factory.mktemp("vision_home")) as url:
        yield url, str(checkpoint)


@pytest.fixture
def rude():
    """A server that misbehaves as told."""
    with RudeServer() as server:
        yield server
