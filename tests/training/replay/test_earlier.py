"""Training alone on files that goes on from a bundle: what is new, what is replayed."""

import pytest

from training.replay.earlier import continued
from training.replay.memory import Memory
from training.replay.store import FILE, write_memory

CASES = [{"case_id": name} for name in "abc"]


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A bundle that has learnt from a and z, with classes liver and spleen."""
    from training.bundle import folder as bundles

    class Facts:
        classes = ("liver", "spleen")

    monkeypatch.setattr(bundles, "read_facts", lambda _: Facts)
    write_memory(tmp_path, Memory(["a", "z"]))
    return tmp_path


def test_without_a_bundle_all_is_new():
    found = continued(None, CASES, ("liver",))
    assert (found.cases, found.memory, found.classes, found.kept) == (CASES, [], ("liver",), ())


def test_what_the_bundle_has_learnt_from_is_replayed(bundle):
    found = continued(bundle, CASES, ("kidney", "spleen"))
    assert (found.cases, found.memory) == (CASES[1:], CASES[:1])
    assert found.classes == ("liver", "spleen", "kidney")
    assert found.kept == ("liver",)
    assert found.aside["cases"] == ["z"]


def test_the_same_cases_again_are_the_cases(bundle):
    assert continued(bundle, CASES[:1], ("liver",)).cases == CASES[:1]
    assert continued(bundle, CASES[:1], ("liver",)).memory == []


def test_a_bundle_without_memory_replays_nothing(bundle):
    (bundle / FILE).unlink()
    assert continued(bundle, CASES, ("liver",)).cases == CASES
