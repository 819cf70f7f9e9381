"""Attention: hand values, the compiled pass against plain numpy, and properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.attention.maps import conflict_matrix, entropy_table, fuse_and_attend, stored_map
from labeling.config import AttentionConfig, released_attention
from voxcurate.errors import GeometryError
from voxcurate.predictions import Prediction, probability_box

AFFINE = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, -3], [0, 0, 4.0, 9], [0, 0, 0, 1]])
VOXEL = 12.0


def prediction(classes, model="m", shape=None):
    shape = shape or next(iter(classes.values())).shape
    boxes = {c: probability_box(np.asarray(a, np.uint8)) for c, a in classes.items()}
    return Prediction(boxes, shape, AFFINE, model, True)


def one_voxel(**values):
    return {c: np.full((1, 1, 1), v, np.uint8) for c, v in values.items()}


def reference(stacks, conflicts, voxel=VOXEL):
    """Equations 1-4 as they stand; `stacks` is class to float probabilities ``(N, I, J, K)``."""
    names = list(stacks)
    total, sizes = 0.0, {}
    for c, name in enumerate(names):
        p = stacks[name]
        deviation = np.sqrt(((p - p.mean(0)) ** 2).sum(0) / len(p))
        entropy = -sum(q * np.log(np.maximum(q, 1e-300)) for q in p) / len(p)
        overlap = np.zeros(p.shape[1:])
        for d, other in enumerate(names):
            if conflicts[c, d]:
                overlap = np.maximum(overlap, ((p > 0.5) & (stacks[other] > 0.5)).any(0))
        total = total + deviation + entropy + overlap
        sizes[name] = [float(t.sum()) * voxel for t in (deviation, entropy, overlap)]
    return total, sizes


def test_a_voxel_by_hand():
    models = [prediction(one_voxel(a=255, b=0)), prediction(one_voxel(a=51, b=204))]
    found = fuse_and_attend(models, ["a", "b"], conflict_matrix(["a", "b"], []))
    a = found.classes["a"]
    assert a.inconsistency == pytest.approx(0.4 * VOXEL)  # 1.0 and 0.2
    assert a.uncertainty == pytest.approx(-0.2 * np.log(0.2) / 2 * VOXEL)
    assert a.overlap == 0  # no model claims both
    assert a.attention == pytest.approx(a.inconsistency + a.uncertainty)
    assert found.masks["a"][1].item() is True  # mean 0.6
    assert not found.masks["b"][1].any()  # mean 0.4


def test_overlap_respects_what_may_overlap():
    models = [prediction(one_voxel(organ=230, tumour=200, other=200))]
    names = ["organ", "tumour", "other"]
    found = fuse_and_attend(models, names, conflict_matrix(names, [("tumour", "organ")]))
    assert {c: found.classes[c].overlap for c in names} == pytest.approx(
        dict.fromkeys(names, VOXEL)
    )
    names = names[:2]
    found = fuse_and_attend(models, names, conflict_matrix(names, [("tumour", "organ")]))
    assert {c: found.classes[c].overlap for c in names} == {"organ": 0.0, "tumour": 0.0}


def test_overlap_of_one_model_with_another_on_request():
    """The paper's sentence reads so; its equation has one model's two classes."""
    models = [prediction(one_voxel(a=255, b=0)), prediction(one_voxel(a=0, b=255))]
    names = ["a", "b"]
    conflicts = conflict_matrix(names, [])
    for kind, overlap in (("models", 0.0), ("any", VOXEL), ("mean", 0.0)):
        found = fuse_and_attend(models, names, conflicts, config=AttentionConfig(overlap=kind))
        sizes = {c: s.overlap for c, s in found.classes.items()}
        assert sizes == pytest.approx({"a": overlap, "b": overlap})
        assert found.classes["a"].inconsistency == pytest.approx(0.5 * VOXEL)


def test_half_is_not_above_half():
    names = ["a", "b"]
    conflicts = conflict_matrix(names, [])
    for value, overlap in ((127, 0.0), (128, VOXEL)):
        models = [prediction(one_voxel(a=value, b=255))]
        found = fuse_and_attend(models, names, conflicts).classes["a"].overlap
        assert found == pytest.approx(overlap)


def test_with_one_model_inconsistency_is_undefined_not_zero():
    found = fuse_and_attend([prediction(one_voxel(a=100))], ["a"], conflict_matrix(["a"], []))
    assert found.classes["a"].inconsistency is None
    assert found.classes["a"].n_models == 1
    assert found.classes["a"].attention == found.classes["a"].uncertainty > 0


def test_a_class_that_no_model_has_is_left_out():
    models = [prediction(one_voxel(a=100)), prediction(one_voxel(a=100, b=30))]
    names = ["a", "b", "c"]
    found = fuse_and_attend(models, names, conflict_matrix(names, []))
    assert set(found.classes) == {"a", "b"}
    assert found.classes["b"].n_models == 1


def test_predictions_must_agree_in_shape():
    models = [prediction(one_voxel(a=1)), prediction({"a": np.ones((2, 1, 1), np.uint8)})]
    with pytest.raises(GeometryError, match="one shape"):
        fuse_and_attend(models, ["a"], conflict_matrix(["a"], []))


def random_models(seed, n_models, n_classes, shape):
    """Sparse uint8 predictions with empty, full-box and touching classes."""
    rng = np.random.default_rng(seed)
    names = [f"c{n}" for n in range(n_classes)]
    stacks = {}
    for n, name in enumerate(names):
        values = rng.integers(0, 256, (n_models, *shape))
        keep = rng.random((n_models, *shape)) < rng.choice([0.0, 0.2, 1.0])
        stacks[name] = np.where(keep, values, 0).astype(np.uint8)
        if n % 3 == 2:
            stacks[name][:, : shape[0] // 2] = 0
    models = [prediction({c: s[m] for c, s in stacks.items()}) for m in range(n_models)]
    return names, stacks, models


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 5))
def test_the_compiled_pass_equals_the_equations(seed, n_models, n_classes):
    names, stacks, models = random_models(seed, n_models, n_classes, (5, 4, 7))
    pairs = [("c0", "c1")] if n_classes > 1 else []
    conflicts = conflict_matrix(names, pairs)
    found = fuse_and_attend(models, names, conflicts)
    total, sizes = reference({c: s / 255.0 for c, s in stacks.items()}, conflicts)
    assert np.allclose(found.total, total, atol=1e-5)
    for name in names:
        got = found.classes[name]
        inconsistency = 0.0 if got.inconsistency is None else got.inconsistency
        assert np.allclose([inconsistency, got.uncertainty, got.overlap], sizes[name], rtol=1e-9)
        box, mask = found.masks[name]
        whole = np.zeros((5, 4, 7), bool)
        whole[box] = mask
        assert np.array_equal(whole, stacks[name].astype(int).sum(0) > 127.5 * n_models)


def test_more_classes_than_one_word_has_bits():
    names = [f"c{n}" for n in range(70)]
    arrays = {c: np.zeros((2, 3, 1), np.uint8) for c in names}
    arrays["c3"][0, 1, 0] = arrays["c67"][0, 1, 0] = 255
    found = fuse_and_attend([prediction(arrays)], names, conflict_matrix(names, []))
    assert {c for c in names if found.classes[c].overlap} == {"c3", "c67"}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.permutations([0, 1, 2]))
def test_the_order_of_models_does_not_count(seed, order):
    names, _, models = random_models(seed, 3, 3, (4, 3, 5))
    conflicts = conflict_matrix(names, [])
    one = fuse_and_attend(models, names, conflicts)
    two = fuse_and_attend([models[n] for n in order], names, conflicts)
    assert np.allclose(one.total, two.total, atol=1e-6)


def test_weights_move_the_fused_mask_only():
    models = [prediction(one_voxel(a=255)), prediction(one_voxel(a=0))]
    conflicts = conflict_matrix(["a"], [])
    light = fuse_and_attend(models, ["a"], conflicts, weights=[1.0, 3.0])
    heavy = fuse_and_attend(models, ["a"], conflicts, weights=[3.0, 1.0])
    assert not light.masks["a"][1].any()
    assert heavy.masks["a"][1].all()
    assert light.classes == heavy.classes


def test_binary_entropy_is_symmetric_and_the_published_one_is_not():
    binary, published = entropy_table("binary"), entropy_table("published")
    assert np.allclose(binary, binary[::-1])
    assert binary.max() == pytest.approx(np.log(2), abs=1e-4)
    assert published.max() == pytest.approx(np.exp(-1), abs=1e-4)
    assert published[0] == published[255] == binary[0] == 0


def test_released_settings_drop_small_and_thin_values():
    rng = np.random.default_rng(0)
    shape = (14, 13, 12)
    low = rng.integers(0, 20, (2, *shape)).astype(np.uint8)  # deviation below 0.1
    blob = np.zeros((2, *shape), np.uint8)
    blob[0, 3:10, 3:10, 3:10] = 255  # one model only: deviation 0.5
    blob[1, 0, 0, :] = 255  # a line that the opening takes away
    names = ["a", "b"]
    models = [prediction({"a": low[m], "b": blob[m]}) for m in range(2)]
    found = fuse_and_attend(models, names, conflict_matrix(names, []), config=released_attention())
    assert found.classes["a"].inconsistency == 0
    assert found.classes["b"].inconsistency == pytest.approx(0.5 * 7**3 * VOXEL)
    plain = fuse_and_attend(models, names, conflict_matrix(names, []))
    assert plain.classes["a"].inconsistency > 0
    assert plain.classes["b"].inconsistency > found.classes["b"].inconsistency


def test_plain_numpy_path_equals_the_compiled_one():
    names, _, models = random_models(3, 3, 4, (6, 5, 4))
    conflicts = conflict_matrix(names, [("c1", "c2")])
    fast = fuse_and_attend(models, names, conflicts)
    slow = fuse_and_attend(
        models, names, conflicts, config=AttentionConfig(inconsistency_above=1e-12)
    )
    assert np.allclose(fast.total, slow.total, atol=1e-5)
    assert all(np.array_equal(fast.masks[c][1], slow.masks[c][1]) for c in names)


def test_the_stored_map_has_one_scale_and_is_cut():
    total = np.array([[[0.0, 0.5, 1.0, 9.0]]], np.float32)
    assert stored_map(total).tolist() == [[[0, 32, 64, 255]]]
