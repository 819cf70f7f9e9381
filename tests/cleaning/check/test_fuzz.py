"""A small part of `benchmarks.fuzz`: each damaged file gets a verdict, and no process dies."""

import pytest

from benchmarks.fuzz import fuzz, mutants


@pytest.mark.slow
def test_damaged_files_get_a_verdict(tmp_path):
    found = fuzz(tmp_path, 150, 7, workers=2)
    assert found["failures"] == []
    assert sum(found["total"].values()) == 150
    assert found["peak_mb"] < 1000


def test_the_same_seed_gives_the_same_files():
    first = [content for _, _, content in mutants(6, 3)]
    assert first == [content for _, _, content in mutants(6, 3)]
    assert len(set(first)) == 6
