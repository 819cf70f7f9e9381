"""One tumour: size, contrast, place, mask, mass effect."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tests.training.synthetic.scenes import LEVEL, NOISE, SHAPE, SPACING, scene
from training.synthetic.config import CYST, LesionStyle, SyntheticConfig
from training.synthetic.settling import diameter, size_class
from training.synthetic.tumour import grow

SHARES = {0: (1.0, 0.0, 0.0), 1: (0.0, 1.0, 0.0), 2: (0.0, 0.0, 1.0)}
VOXEL = math.prod(SPACING)


def config(size=0, **changes):
    values = {"mass_effect": 0.0, "capsule": 0.0, "largest_mm": 44.0, **changes}
    return SyntheticConfig(size_shares=SHARES[size], **values)


def style(kind="hypo", **changes):
    kinds = {name: float(name == kind) for name in ("hypo", "hyper", "iso", "fluid")}
    return LesionStyle(**{**kinds, "core": 0.0, **changes})


def plain(kind="hypo"):
    """Without texture and core: the contrast is one number."""
    return style(kind, texture_hu=(0.0, 0.0), replaces=0.0)


def grown(seed=0, size=0, look=None, settings_=None, carried=(), **world):
    hu, organ, vessel = scene(seed, **world)
    look = look or style()
    settings_ = settings_ or config(size)
    made = grow(hu, organ, vessel, SPACING, look, settings_, np.random.default_rng(seed), carried)
    return hu, organ, vessel, made


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("mass_effect", [0.0, 1.0])
def test_size_is_exact_and_of_its_class(size, mass_effect):
    reached = 0
    for seed in range(8):
        *_, made = grown(seed, size, settings_=config(size, mass_effect=mass_effect))
        volume = made.mask.sum() * VOXEL
        wanted = 4 / 3 * math.pi * (made.diameter_mm / 2) ** 3
        assert abs(volume - wanted) <= VOXEL
        assert made.size_class == size_class(made.diameter_mm)
        reached += made.size_class == size
    assert reached >= 7


def test_large_tumours_need_a_large_organ():
    hu, organ, _ = scene(1, radius_mm=34.0)
    for seed in range(4):
        generator = np.random.default_rng(seed)
        made = grow(hu, organ, ~organ, SPACING, style(), config(2, mass_effect=1.0), generator)
        assert made.size_class == 2
    *_, capped = grown(1, 2, radius_mm=9.0)
    assert capped is None or capped.diameter_mm < 20


@pytest.mark.parametrize("mass_effect", [0.0, 1.0])
def test_inside_the_organ_in_one_piece_and_no_vessel_hit(mass_effect):
    for seed in range(10):
        _, organ, vessel = scene(seed)
        tissue = np.stack([organ, vessel]).astype(np.float32)
        *_, made = grown(
            seed, seed % 2, settings_=config(seed % 2, mass_effect=mass_effect), carried=[tissue]
        )
        after = made.carried[0] > 0
        assert not (made.mask & ~after[0]).any()
        assert not (made.mask & after[1]).any()
        changed = made.hu != made.background
        assert not (changed & ~after[0]).any()
        assert ndimage.label(made.mask, np.ones((3, 3, 3)))[1] == 1


@pytest.mark.parametrize("kind", ["hypo", "hyper", "fluid"])
def test_mask_is_half_of_the_contrast(kind):
    """Literally, where the contrast is one number."""
    for seed in range(5):
        *_, made = grown(seed, 1, plain(kind))
        change = np.abs(made.hu.astype(np.float64) - made.background)
        np.testing.assert_array_equal(change >= abs(made.mean_hu) / 2 - 1e-3, made.mask)


@pytest.mark.parametrize("mass_effect", [0.0, 1.0])
def test_mask_is_half_of_the_local_contrast(mass_effect):
    """With texture, core, rim and mass effect."""
    look = LesionStyle(core=1.0)
    for seed in range(6):
        *_, made = grown(seed, 1, look, config(1, mass_effect=mass_effect, capsule=1.0))
        change = np.abs(made.hu.astype(np.float64) - made.background)
        local = np.abs(made.contrast)
        clear = local > 1  # rounding decides elsewhere
        half = change >= local / 2 - 1e-3
        np.testing.assert_array_equal(half[clear], made.mask[clear])


@pytest.mark.parametrize("kind", ["hypo", "hyper", "fluid", "iso"])
def test_contrast_against_this_organ(kind):
    for level in (60.0, 140.0):
        for seed in range(4):
            *_, made = grown(seed, 1, style(kind, texture_hu=(0.0, 4.0)), level=level)
            middle = ndimage.binary_erosion(made.mask, iterations=2)
            assert middle.any()
            reached = float(np.median(made.hu[middle])) - level
            expected = {
                "hypo": (-75.0, -20.0),
                "hyper": (20.0, 75.0),
                "fluid": (-5.0 - level, 22.0 - level),
                "iso": (-4.0, 4.0),
            }[kind]
            assert expected[0] - 7 <= reached <= expected[1] + 7
            assert abs(reached - made.mean_hu) < 7
            assert made.attenuation == kind


def test_no_hypo_lesion_is_fat():
    *_, fatty = grown(0, 0, level=-20.0)
    assert fatty.attenuation == "solid"
    assert 15 <= fatty.mean_hu - 20 <= 50
    *_, lung = grown(0, 0, level=-820.0)
    assert lung.attenuation == "solid"
    assert np.median(lung.hu[lung.mask]) > -400


def test_the_organs_own_structure_ends_at_the_tumour():
    hu, organ, vessel = scene(2, noise=0.0)
    stripes = np.broadcast_to((np.arange(SHAPE[0]) // 4 % 2 * 60.0)[:, None, None], SHAPE)
    lobed = np.where(organ, hu - stripes, hu).astype(np.float32)
    spreads = []
    for share in (0.0, 1.0):
        look = style(texture_hu=(0.0, 0.0), replaces=share)
        made = grow(lobed, organ, vessel, SPACING, look, config(1), np.random.default_rng(3))
        spreads.append(made.hu[ndimage.binary_erosion(made.mask)].std())
    assert spreads[1] < 0.8 * spreads[0]


def test_a_rim_is_brighter_than_the_middle():
    *_, made = grown(
        1, 1, plain(), config(1, capsule=1.0, capsule_hu=(50.0, 50.0), capsule_mm=(3.0, 3.0)),
        noise=0.0,
    )  # fmt: skip
    shell = made.mask & ~ndimage.binary_erosion(made.mask, iterations=1)
    middle = ndimage.binary_erosion(made.mask, iterations=3)
    assert made.contrast[shell].mean() > made.contrast[middle].mean() + 10


def test_texture_is_correlated_and_as_strong_as_asked():
    look = style("fluid", texture_hu=(10.0, 10.0), texture_mm=(6.0, 6.0), replaces=0.0)
    values, neighbours = [], []
    for seed in range(12):
        *_, made = grown(seed, 1, look, noise=0.0)
        field = (made.contrast - made.mean_hu) * made.mask
        values.append(field[made.mask].std())
        both = made.mask[1:] & made.mask[:-1]
        neighbours.append(np.corrcoef(field[1:][both], field[:-1][both])[0, 1])
    assert 6 < np.mean(values) < 13
    assert np.mean(neighbours) > 0.5


def test_mass_effect_pushes_masks_and_image_alike():
    """What is moved linearly in the image is moved to the nearest voxel in the masks."""
    for seed in range(6):
        _, organ, vessel = scene(seed, noise=0.0)
        picture = np.where(vessel, 1000.0, 0.0).astype(np.float32)
        made = grow(
            picture, organ, vessel, SPACING, plain(),
            config(1, mass_effect=1.0, expansion=1.8), np.random.default_rng(seed),
            [vessel[None].astype(np.float32), np.ones((1, *SHAPE), np.float32)],
        )  # fmt: skip
        assert made.is_pushing
        moved = made.carried[0][0] > 0
        agree = (made.background > 500) == moved
        assert agree.mean() > 0.999
        assert 0.5 < moved.sum() / vessel.sum() < 1.6  # about the same volume
        assert (made.carried[1] == 1).all()


def test_mass_effect_grows_the_organ_by_about_the_tumours_growth():
    hu, organ, _ = scene(3, radius_mm=20.0)
    made = grow(
        hu, organ, np.zeros_like(organ), SPACING, plain(),
        config(0, mass_effect=1.0, smallest_mm=19.0, expansion=1.5), np.random.default_rng(1),
        [organ[None].astype(np.float32)],
    )  # fmt: skip
    gained = ((made.carried[0][0] > 0).sum() - organ.sum()) * VOXEL
    assert -0.1 * made.mask.sum() * VOXEL < gained <= 1.1 * made.mask.sum() * VOXEL


def test_far_from_the_tumour_nothing_changes():
    hu, _, _, made = grown(0, 0, settings_=config(0, mass_effect=1.0, largest_mm=44.0))
    at = np.argwhere(made.mask).mean(axis=0)
    distance = np.sqrt((((np.argwhere(np.ones(SHAPE)) - at) * SPACING) ** 2).sum(axis=1))
    far = (distance > 1.7 * made.diameter_mm).reshape(SHAPE)
    assert far.any()
    np.testing.assert_allclose(made.hu[far], hu[far], atol=0.01)


def test_input_stays_and_seeds_decide():
    hu, organ, vessel = scene(0)
    kept = [a.copy() for a in (hu, organ, vessel)]
    carried = [organ[None].astype(np.float32)]
    one, two, other = (
        grow(hu, organ, vessel, SPACING, LesionStyle(), SyntheticConfig(),
             np.random.default_rng(seed), carried)
        for seed in (5, 5, 6)
    )  # fmt: skip
    for before, after in zip(kept, (hu, organ, vessel), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(one.hu, two.hu)
    assert not np.array_equal(one.hu, other.hu)
    assert carried[0].sum() == organ.sum()


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 14)] * 3),
    spacing=st.tuples(*[st.floats(0.5, 9.0)] * 3),
    share=st.floats(0, 1),
    seed=st.integers(0, 999),
)
def test_never_a_crash_in_tiny_and_cut_organs(shape, spacing, share, seed):
    generator = np.random.default_rng(seed)
    hu = generator.normal(50, 20, shape).astype(np.float32)
    organ = generator.random(shape) < share
    vessel = generator.random(shape) < 0.05
    made = grow(
        hu, organ, vessel, spacing, LesionStyle(), SyntheticConfig(mass_effect=0.5), generator,
        [organ[None].astype(np.float32)],
    )  # fmt: skip
    if made is not None:
        assert np.isfinite(made.hu).all()
        assert not (made.mask & ~(made.carried[0][0] > 0)).any()


def test_an_organ_that_fills_the_patch():
    hu = np.random.default_rng(0).normal(LEVEL, NOISE, SHAPE).astype(np.float32)
    whole = np.ones(SHAPE, bool)
    for seed in range(5):
        made = grow(
            hu, whole, ~whole, SPACING, LesionStyle(), config(1), np.random.default_rng(seed)
        )
        assert made is not None


def test_diameters_follow_the_shares():
    settings_ = SyntheticConfig(size_shares=(0.5, 0.3, 0.2))
    generator = np.random.default_rng(0)
    drawn = [size_class(diameter(settings_, generator)) for _ in range(2000)]
    np.testing.assert_allclose(np.bincount(drawn) / 2000, (0.5, 0.3, 0.2), atol=0.04)


def test_cysts_are_water_and_even():
    *_, made = grown(0, 1, CYST, noise=0.0)
    middle = ndimage.binary_erosion(made.mask, iterations=2)
    assert -15 < made.hu[middle].mean() < 32
    assert made.hu[middle].std() < 4
