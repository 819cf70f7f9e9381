"""What the checks see of a body: axes, region, cut-offs, padding, streaks, steps."""

import numpy as np
import pytest

from agent.cohort.corruption import Volume as Damaged
from agent.cohort.corruption import corrupt
from cleaning.check.anatomy import look
from cleaning.check.config import CheckConfig
from cleaning.check.coverage import cut_off
from cleaning.check.orientation import axes_of, cuts_of
from cleaning.check.regions import regions_of
from cleaning.check.rules import check
from voxcurate.geometry import reorient
from voxcurate.volume import Volume


def codes(found):
    return {reason.code: reason.severity for reason in found.reasons}


def damaged(scan, kind):
    found = corrupt(Damaged(scan.array, scan.affine), kind, np.random.default_rng(5))
    return check(Volume(found.image, found.affine))


def test_a_clean_body_passes_and_is_known(scan):
    found = check(scan)
    assert found.verdict == "pass"
    assert found.evidence["gas_in_front"] > 0.2
    assert found.evidence["head_up"] == 1
    assert found.evidence["cut_along"] > 0.6
    assert found.evidence["region_abdomen_mm"] > 80


@pytest.mark.parametrize("letters", ["RAS", "LPI", "ASL", "PIR"])
def test_the_order_of_the_axes_is_no_fault(scan, letters):
    turned = reorient(scan, letters)
    found = check(Volume(np.ascontiguousarray(turned.array), turned.affine))
    assert found.verdict == "pass"


@pytest.mark.parametrize(
    ("kind", "code", "severity"),
    [
        ("front_back", "front_back", "reject"),
        ("upside_down", "upside_down", "reject"),
        ("mirrored", "left_right", "suspect"),
        ("permuted", "axes_permuted", "reject"),
        ("swapped_in_plane", "axes_permuted", "reject"),
        ("streaks", "metal_streaks", "suspect"),
        ("stepped", "step", "suspect"),
        ("cut_off", "cut_off", "suspect"),
        ("padding_inside", "padding_inside", "reject"),
        ("mr_like", "mr_values", "reject"),
        ("label_map", "label_map", "reject"),
        ("unsigned_wrap", "not_hu", "reject"),
        ("lost_planes", "jump", "suspect"),
        ("joined", "jump", "suspect"),
        ("blank_end", "blank_end", "suspect"),
        ("max_slabs", "slabs", "suspect"),
        ("mean_slabs", "slabs", "suspect"),
        ("offset_24", "hu_shift", "suspect"),
        ("offset_100", "hu_shift", "suspect"),
        ("slope_1_3", "hu_shift", "suspect"),
    ],
)
def test_planted_damage_is_named(scan, kind, code, severity):
    assert codes(damaged(scan, kind)).get(code) == severity


def test_a_wanted_region_that_is_not_shown_is_rejected(scan):
    wanted = CheckConfig(wanted_regions=("head",))
    assert codes(check(scan, "CT", wanted)) == {"wrong_region": "reject"}
    assert check(scan, "CT", CheckConfig(wanted_regions=("abdomen", "head"))).verdict == "pass"


def test_places_are_told_in_ras_order(scan):
    image = scan.array.copy()
    ras = reorient(scan, "RAS")
    n = ras.shape[2]
    view = reorient(Volume(image, scan.affine), "RAS").array  # a view: writes through
    view[:, :, n // 2] = -1024
    (reason,) = [r for r in check(Volume(image, scan.affine)).reasons if r.code == "empty_slices"]
    assert reason.planes == (2, n // 2, n // 2)


def test_cuts_by_hand():
    ball = np.indices((21, 21, 21)).astype(float) - 10
    image = np.where((ball**2).sum(axis=0) < 81, 40, -1000).astype(np.int16)
    body = look(Volume(image[:, :, 10:], np.diag([4.0, 4, 4, 1])))
    (along_x, along_y, along_z), touches = cuts_of(body)
    assert touches[2] == 1.0
    assert max(touches[:2]) == 0.0
    assert along_z == 1.0
    assert max(along_x, along_y) < 0.35


def test_a_box_that_fills_the_field_of_view_is_cut_off_all_around():
    image = np.full((20, 20, 12), 40, np.int16)
    body = look(Volume(image, np.diag([4.0, 4, 4, 1])))
    assert cut_off(body)[0] == 1.0


def test_an_empty_look_has_no_regions_and_no_axes():
    body = look(Volume(np.full((12, 12, 12), -1000, np.int16), np.diag([4.0, 4, 4, 1])))
    assert regions_of(body) == {}
    assert np.isnan(axes_of(body).gas)


def test_upside_down_and_back_again(scan):
    axes = axes_of(look(scan))
    array = np.flip(scan.array, scan.orientation.index("S" if "S" in scan.orientation else "I"))
    other = axes_of(look(Volume(array, scan.affine)))
    assert axes.top == -other.top == 1.0
