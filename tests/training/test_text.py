"""Hashed text vectors keep the Embedder's contract."""

import numpy as np
import pytest

from training.text import HashingEmbedder
from voxcurate.protocols import Embedder


def test_contract():
    embedder = HashingEmbedder(64)
    assert isinstance(embedder, Embedder)
    found = embedder.embed(["left kidney", "", "Left  Kidney!"])
    assert found.shape == (3, 64)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0, 1], atol=1e-6)
    np.testing.assert_array_equal(found[0], found[2])
    assert embedder.embed([]).shape == (0, 64)


def test_shared_spelling_is_near():
    one, two, three = HashingEmbedder(512).embed(["left kidney", "kidneys, left", "mandible"])
    assert one @ two > 0.5 > abs(one @ three)


def test_same_in_another_process():
    """No hash that is salted per process."""
    found = HashingEmbedder(8).embed(["liver"])[0]
    again = HashingEmbedder(8).embed(["liver"])[0]
    np.testing.assert_array_equal(found, again)
    assert float(np.linalg.norm(found)) == pytest.approx(1.0)
