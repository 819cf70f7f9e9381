"""Fusion of one case: mean, weights, STAPLE, classes that some models lack, other grids."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.config import AttentionConfig, FuseConfig, LabelingConfig
from labeling.fusion.combine import check_grids, fuse_case
from labeling.fusion.model_quality import weights_of
from labeling.rules import load_anatomy
from tests.labeling.conftest import AFFINE, CLASSES, SHAPE, phantom, soft
from voxcurate.classes import load_vocabulary
from voxcurate.errors import GeometryError
from voxcurate.predictions import Prediction, ProbabilityBox, axes_reversed, probability_box

ANATOMY = load_anatomy(load_vocabulary(), ("abdomen",))
PLAIN = LabelingConfig(fuse=FuseConfig(postprocess=False))


def prediction(model_id, masks, seed=None, affine=AFFINE, shape=SHAPE):
    boxes = {
        c: probability_box(m.astype(np.float32) if seed is None else soft(m, seed + n))
        for n, (c, m) in enumerate(masks.items())
    }
    return Prediction(boxes, shape, affine, model_id, True)


def fused(predictions, config=PLAIN, classes=CLASSES, **how):
    found = fuse_case(predictions, classes, ANATOMY, config, **how)
    return {c: s.full() for c, s in found.structures.items()}, found


@settings(max_examples=25)
@given(
    st.lists(st.floats(0.1, 3), min_size=3, max_size=3),
    st.floats(0.2, 0.8),
    st.integers(0, 1000),
)
def test_the_weighted_mean_above_the_threshold_for_each_class(weights, threshold, seed):
    masks = phantom(seed % 5)[1]
    models = [prediction(f"m{n}", masks, 10 * n + seed) for n in range(3)]
    config = LabelingConfig(fuse=FuseConfig(postprocess=False, threshold=threshold))
    shares = {"liver": weights, "spleen": weights[::-1]}
    after, found = fused(models, config, weights=shares)
    for c in CLASSES:
        own = shares.get(c, [1.0] * 3)
        stack = np.stack([m.full(c).astype(float) for m in models])
        mean = np.tensordot(own, stack, 1) / sum(own)
        sure = np.abs(mean - threshold * 255) > 1e-6
        np.testing.assert_array_equal(after[c][sure], (mean > threshold * 255)[sure])
    assert found.how["liver"]["weights"] == {
        f"m{n}": pytest.approx(w, abs=1e-4) for n, w in enumerate(weights)
    }
    assert "weights" not in found.how["kidney_left"]


def test_a_class_that_only_some_models_know_is_theirs_to_decide():
    masks = phantom(0)[1]
    some = {c: masks[c] for c in ("liver", "spleen")}
    nowhere = {**some, "kidney_left": np.zeros(SHAPE, bool)}
    after, found = fused([prediction("a", masks), prediction("b", some)])
    np.testing.assert_array_equal(after["kidney_left"], masks["kidney_left"])
    assert found.how["kidney_left"]["models"] == ["a"]
    assert found.how["liver"]["models"] == ["a", "b"]
    after, _ = fused([prediction("a", masks), prediction("b", nowhere)])
    assert not after["kidney_left"].any()  # predicting nothing is a vote against
    after, _ = fused([prediction("a", some)], classes=("liver", "aorta"))
    assert set(after) == {"liver"}


def test_staple_takes_the_place_of_the_mean_and_tells_its_estimates():
    masks = phantom(0)[1]
    models = [prediction("a", masks, 1), prediction("b", masks, 5), prediction("c", masks, 9)]
    config = LabelingConfig(fuse=FuseConfig(method="staple", postprocess=False))
    after, found = fused(models, config)
    from labeling.fusion.staple import staple

    for c in CLASSES:
        wanted = staple([m.box(c) for m in models], SHAPE, AFFINE)
        whole = np.zeros(SHAPE, bool)
        whole[wanted.box] = wanted.mask
        np.testing.assert_array_equal(after[c], whole)
        assert set(found.how[c]["sensitivity"]) == {"a", "b", "c"}
        assert 0 <= found.how[c]["specificity"]["a"] <= 1


def test_one_model_and_hard_masks_of_two():
    one, two = phantom(0)[1], phantom(1)[1]
    np.testing.assert_array_equal(fused([prediction("a", one)])[0]["liver"], one["liver"])
    both = fused([prediction("a", one), prediction("b", two)])[0]
    np.testing.assert_array_equal(both["liver"], one["liver"] & two["liver"])
    low = LabelingConfig(fuse=FuseConfig(threshold=0.4, postprocess=False))
    either = fused([prediction("a", one), prediction("b", two)], low)[0]
    np.testing.assert_array_equal(either["liver"], one["liver"] | two["liver"])


def test_reversed_axes_give_the_same():
    masks = phantom(2)[1]
    models = [prediction("a", masks, 1), prediction("b", masks, 5)]
    config = LabelingConfig()
    one, _ = fused(models, config)
    two, _ = fused([axes_reversed(m) for m in models], config)
    for c in CLASSES:
        np.testing.assert_array_equal(one[c], two[c].T)


def test_models_of_another_grid_are_refused_with_both_grids():
    masks = phantom(0)[1]
    moved = AFFINE.copy()
    moved[0, 3] += 3
    one = prediction("a", masks)
    for other in (
        prediction("b", masks, affine=moved),
        Prediction({}, SHAPE[::-1], AFFINE, "b", False),
    ):
        with pytest.raises(GeometryError, match="model b lies on another grid than model a"):
            fused([one, other])
        with pytest.raises(GeometryError, match=r"model b .* than the scan"):
            check_grids([one, other], "the scan")
    with pytest.raises(GeometryError, match="no prediction"):
        fused([])


def test_what_two_classes_claim_goes_to_the_likelier_by_the_models():
    liver, stomach = np.zeros(SHAPE), np.zeros(SHAPE)
    liver[8:16, 8:16, 8:16] = 0.9
    stomach[15:22, 8:16, 8:16] = 0.6
    given_ = {c: probability_box(p.astype(np.float32)) for c, p in
              (("liver", liver), ("stomach", stomach))}  # fmt: skip
    model = Prediction(given_, SHAPE, AFFINE, "a", False)
    after, found = fused([model], LabelingConfig(), classes=("liver", "stomach"))
    np.testing.assert_array_equal(after["liver"], liver > 0.5)
    assert not (after["stomach"] & after["liver"]).any()
    (effect,) = [e for e in found.effects if e.rule == "exclusion"]
    assert (effect.class_id, effect.other) == ("stomach", "liver")


def test_weights_of_models_and_classes():
    models = [("id1", "unet"), ("id2", "swin"), ("id3", "nnunet")]
    given_ = {"unet": 2.0, "id2": {"liver": 3.0}}
    found = weights_of(models, ("liver", "spleen"), given_)
    assert found == {"liver": [2.0, 3.0, 1.0], "spleen": [2.0, 1.0, 1.0]}
    quality = {("id1", "liver"): 0.9, ("id2", "liver"): 0.5, ("id1", "spleen"): 0.0}
    found = weights_of(models, ("liver", "spleen", "aorta"), {}, quality)
    assert found["liver"] == pytest.approx([0.9, 0.5, 0.7])  # unmeasured: as the others
    assert found["spleen"] == pytest.approx([0.05, 0.05, 0.05])
    assert found["aorta"] == [1.0, 1.0, 1.0]
    assert weights_of(models, ("liver",), {m: 0.0 for _, m in models})["liver"] == [1.0] * 3


def test_a_box_that_is_empty_does_no_harm():
    empty = Prediction(
        {"liver": ProbabilityBox((slice(0, 0),) * 3, np.zeros((0, 0, 0), np.uint8))},
        SHAPE, AFFINE, "a", False,
    )  # fmt: skip
    for method in ("mean", "staple"):
        after, _ = fused([empty], LabelingConfig(fuse=FuseConfig(method=method)), ("liver",))
        assert not after["liver"].any()


@pytest.mark.parametrize("entropy", ["published", "binary"])
def test_a_class_whose_only_model_weighs_nothing_is_still_its_own(entropy):
    masks = phantom(0)[1]
    some = {c: m for c, m in masks.items() if c != "liver"}
    models = [prediction("all", masks, 1), prediction("some", some, 9)]
    alone, _ = fused(models[:1])
    for extra in ({}, {"uncertainty_above": 1e-9}):  # the kernel, and plain numpy
        config = PLAIN.model_copy(update={"attention": AttentionConfig(entropy=entropy, **extra)})
        after, found = fused(models, config, weights={"liver": [0.0, 1.0]})
        np.testing.assert_array_equal(after["liver"], alone["liver"])
        assert after["liver"].any()
        assert found.how["liver"]["weights"] == {"all": 1.0}
