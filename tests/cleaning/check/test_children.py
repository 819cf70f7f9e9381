"""Small bodies: regions, axes and verdicts do not depend on the size of the person."""

import numpy as np
import pytest
from scipy import ndimage

from cleaning.check.anatomy import look
from cleaning.check.config import CheckConfig
from cleaning.check.orientation import axes_of
from cleaning.check.regions import regions_of
from cleaning.check.rules import check
from voxcurate.geometry import reorient
from voxcurate.volume import Volume


def smaller(scan, factor):
    return Volume(scan.array, scan.affine @ np.diag([factor, factor, factor, 1.0]))


def infant():
    """Head as wide as the chest, 2 mm voxels, feet first: belly, chest, neck, head."""
    shape = (72, 64, 150)
    i, j, k = np.ogrid[: shape[0], : shape[1], : shape[2]]
    x, y, z = (i - 35.5) * 2.0, (j - 31.5) * 2.0, (k + 0.5) * 2.0
    image = np.full(shape, -1000.0)

    def put(hu, rx, ry, low, high, at=(0.0, 0.0)):
        inside = ((x - at[0]) / rx) ** 2 + ((y - at[1]) / ry) ** 2 < 1
        image[np.broadcast_to(inside & (z > low) & (z < high), shape)] = hu

    def ball(hu, radii, at):
        inside = sum(((axis - a) / r) ** 2 for axis, a, r in zip((x, y, z), at, radii, strict=True))
        image[np.broadcast_to(inside < 1, shape)] = hu

    put(45, 52, 42, 0, 170)  # trunk
    put(45, 25, 25, 165, 200)  # neck
    ball(900, (54, 60, 56), (0, 0, 245))  # head: skull and brain
    ball(35, (50, 56, 52), (0, 0, 245))
    for side in (-22, 22):
        put(-780, 17, 26, 105, 160, (side, 2))
    put(400, 8, 9, 0, 210, (0, -28))  # spine
    ball(-980, (12, 8, 12), (-15, 20, 60))  # gas before it
    ball(-980, (10, 8, 10), (15, 22, 40))
    image = ndimage.gaussian_filter(image, (0.6, 0.6, 4.0))  # shoulders slope
    image += np.random.default_rng(2).normal(0, 12, shape)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    return Volume(np.rint(np.clip(image, -1024, 3071)).astype(np.int16), affine)


@pytest.mark.parametrize("factor", [0.6, 0.4, 0.3])
def test_a_child_is_a_small_adult(scan, factor):
    adult, child = look(scan), look(smaller(scan, factor))
    assert adult.scale > 0.9
    assert child.scale == pytest.approx(factor * np.sqrt(adult_chest(adult) / 450), rel=0.15)
    assert set(regions_of(child)) == set(regions_of(adult))
    assert axes_of(child).top == 1.0
    wanted = CheckConfig(wanted_regions=("abdomen",))
    found = check(smaller(scan, factor), "CT", wanted)
    assert found.verdict != "reject", found.reasons


def adult_chest(body):
    lungs, whole = body.areas(body.lungs), body.areas(body.inside())
    return np.quantile(whole[lungs > 0.08 * whole], 0.9)


def test_an_infant_whose_head_is_as_wide_as_the_chest():
    baby = infant()
    found = regions_of(look(baby))
    assert {"head", "neck", "chest", "abdomen"} == set(found)
    assert found["head"] == pytest.approx(115, abs=25)
    assert found["chest"] == pytest.approx(60, abs=25)
    assert check(baby, "CT", CheckConfig(wanted_regions=("chest",))).verdict != "reject"
    upside = check(Volume(baby.array[:, :, ::-1], baby.affine))
    assert "upside_down" in {reason.code for reason in upside.reasons}


def test_a_small_belly_without_lungs_is_not_rejected_for_its_region(scan):
    upright = reorient(scan)
    belly = upright.array[:, :, : upright.shape[2] // 3]
    child = Volume(np.ascontiguousarray(belly), upright.affine @ np.diag([0.4, 0.4, 0.4, 1.0]))
    assert look(child).scale == 1.0
    found = check(child, "CT", CheckConfig(wanted_regions=("abdomen",)))
    assert found.verdict != "reject", found.reasons
