"""Contact angles of phantoms whose angle is known on paper.

Written tolerance: 15 degrees, for grids whose voxels are at most a third of the vessel's diameter.
"""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from benchmarks.staging_phantoms import Tube, draw
from tests.conftest import rotation
from training.staging.config import ContactConfig
from training.staging.contact import contact_of

TOLERANCE = 15.0
PHASES = (Phase.explicit, Phase.generate)  # each example takes a second: no shrinking
CONFIG = ContactConfig()
PUBLISHED = ContactConfig(method="published", dilate_mm=0.0)


def measured(tube, config=CONFIG, **more):
    tumour, vessel, affine = draw(tube)
    return contact_of("v", tumour, vessel, affine, config, **more)


@pytest.mark.parametrize("degrees", [30, 90, 180, 270, 330])
@pytest.mark.parametrize("direction", [(0, 0, 1), (1, 1, 1)])
def test_a_straight_vessel(degrees, direction):
    found = measured(Tube(degrees, direction, size_mm=64))
    assert found.state == "measured"
    assert found.degrees == pytest.approx(degrees, abs=TOLERANCE)
    assert np.linalg.norm(found.at_mm) < 16
    assert found.length_mm == pytest.approx(20, abs=4)
    assert found.distance_mm < 1


@pytest.mark.parametrize("degrees", [60, 150, 210])
@pytest.mark.parametrize("bend_mm", [18.0, 30.0])
def test_a_bent_vessel_has_right_angles(degrees, bend_mm):
    """More than a quarter of a torus; the published way measures one of them 20 degrees off."""
    found = measured(Tube(degrees, (1, 0.3, 0.5), bend_mm=bend_mm, length_mm=50))
    assert found.degrees == pytest.approx(degrees, abs=TOLERANCE)


@pytest.mark.parametrize("degrees", [60, 180, 300])
def test_thick_slices(degrees):
    """0.8 x 0.8 x 3 mm, the vessel runs through the slices, straight or aslant."""
    for direction in ((0.1, 0, 1), (0.7, 0.2, 0.7)):
        found = measured(Tube(degrees, direction, (0.8, 0.8, 3.0)))
        assert found.degrees == pytest.approx(degrees, abs=TOLERANCE)


def test_oblique_and_sheared_voxels():
    turn = rotation(0.4, -0.3, 0.6)
    shear = turn @ np.array([[1, 0, 0], [0, 1, 0.25], [0, 0, 1]])
    for each in (turn, shear):
        found = measured(Tube(150, (0.2, 0.3, 1), turn=each))
        assert found.degrees == pytest.approx(150, abs=TOLERANCE)


def test_a_vessel_that_tapers():
    found = measured(Tube(200, (0.2, 0, 1), taper=0.04, radius_mm=4.5))
    assert found.degrees == pytest.approx(200, abs=TOLERANCE)


@pytest.mark.parametrize("degrees", [90, 160])
def test_a_ball_beside_the_vessel(degrees):
    """Its edge leaves the wall slowly; up to 0.8 mm of gap count as contact."""
    found = measured(Tube(degrees, (0, 0.2, 1), ball_mm=12), ContactConfig(gap_mm=0.1))
    assert found.degrees == pytest.approx(degrees, abs=TOLERANCE)


def test_two_tumours_are_measured_together_and_apart():
    """The larger angle counts: two pieces at different heights."""
    tumour, vessel, affine = draw(Tube(60, from_mm=-12, along_mm=8))
    other, _, _ = draw(Tube(150, from_mm=12, along_mm=8))
    found = contact_of("v", tumour | other, vessel, affine, CONFIG)
    assert found.degrees == pytest.approx(150, abs=TOLERANCE)
    assert found.at_mm[2] > 5
    # opposite sides of one height: the sum
    left, vessel, affine = draw(Tube(90))
    right, _, _ = draw(Tube(90, roll=0.4 + np.pi))
    found = contact_of("v", left | right, vessel, affine, CONFIG)
    assert found.degrees == pytest.approx(180, abs=TOLERANCE)


def test_a_fat_plane_is_no_contact():
    tumour, vessel, affine = draw(Tube(120, spacing=(0.8, 0.8, 0.8), size_mm=64))
    wide, _, _ = draw(Tube(120, spacing=(0.8, 0.8, 0.8), size_mm=64, radius_mm=6.5))
    found = contact_of("v", wide & ~vessel, vessel, affine, CONFIG)
    assert (found.state, found.degrees) == ("none", 0.0)
    assert found.distance_mm == pytest.approx(2.5, abs=0.8)
    far = np.zeros_like(tumour)
    far[:3, :3, 40:43] = True
    found = contact_of("v", far, vessel, affine, CONFIG)
    assert (found.state, found.distance_mm) == ("none", None)
    assert "more than 25 mm" in found.note


def test_a_missing_or_empty_mask_is_unknown():
    tumour, vessel, affine = draw(Tube(120))
    for mask, why in ((None, "no mask"), (np.zeros_like(vessel), "empty")):
        found = contact_of("v", tumour, mask, affine, CONFIG)
        assert (found.state, found.degrees) == ("unknown", None)
        assert why in found.note


def test_a_mask_that_ends_in_the_tumour_is_a_lower_bound():
    tumour, vessel, affine = draw(Tube(120, along_mm=30, seed=1))
    vessel[:, :, vessel.shape[2] // 2 :] = False
    found = contact_of("v", tumour, vessel, affine, CONFIG)
    assert found.state == "at least"
    assert found.degrees == pytest.approx(120, abs=TOLERANCE)
    assert "ends 2 mm from the tumour" in found.note


def test_a_vessel_that_leaves_the_scan_at_the_tumour():
    tumour, vessel, affine = draw(Tube(120, along_mm=30))
    half = vessel.shape[2] // 2
    found = contact_of("v", tumour[:, :, :half], vessel[:, :, :half], affine, CONFIG)
    assert found.state == "at least"
    assert "leaves the scan" in found.note


def test_a_tumour_beyond_the_end_is_unknown_unless_the_vessel_goes_on_in_another():
    """A plug in front of the end: nothing of it lies beside the vessel."""
    for gap in (0.0, 12.0):
        tumour, vessel, affine = draw(
            Tube(360, length_mm=30, radius_mm=0.1, from_mm=15 + gap + 5, along_mm=10)
        )
        _, vessel, _ = draw(Tube(360, length_mm=30))
        tumour &= ~vessel
        found = contact_of("v", tumour, vessel, affine, CONFIG)
        assert (found.state, found.degrees) == ("unknown", None)
        _, longer, _ = draw(Tube(360, length_mm=70))
        other = longer & ~vessel
        found = contact_of("v", tumour, vessel, affine, CONFIG, others=[other])
        assert found.state == "none"
        assert ("its end only" in found.note) == (gap == 0)


def test_an_interrupted_mask_is_not_without_contact():
    """The tumour took the vessel's voxels: what is between the pieces is unknown."""
    tumour, vessel, affine = draw(Tube(360, along_mm=16))
    within = np.abs(np.arange(vessel.shape[2]) - vessel.shape[2] / 2) * 1.5 < 11
    vessel[:, :, within] = False
    found = contact_of("v", tumour, vessel, affine, CONFIG)
    assert (found.state, found.degrees) == ("unknown", None)


def test_a_fork_is_followed_into_both_branches():
    """A tumour around the branch that is not the main course."""
    spacing, size = (0.8, 0.8, 0.8), 64.0
    _, trunk, affine = draw(Tube(spacing=spacing, size_mm=size))
    tumour, branch, _ = draw(
        Tube(150, (1, 0, 0), spacing, length_mm=50, from_mm=16, along_mm=8, radius_mm=3,
             shell_mm=6, size_mm=size)
    )  # fmt: skip
    branch[: branch.shape[0] // 2] = False
    found = contact_of("v", tumour & ~trunk, trunk | branch, affine, CONFIG)
    assert found.degrees == pytest.approx(150, abs=TOLERANCE)
    assert found.at_mm[0] > 8


def test_the_published_way():
    """On a straight vessel and without dilation both agree; the dilation widens every contact."""
    tube = Tube(120, (0, 0, 1), (0.8, 0.8, 0.8), size_mm=64)
    plain = measured(tube, PUBLISHED).degrees
    assert plain == pytest.approx(120, abs=TOLERANCE)
    assert measured(tube, ContactConfig(method="published", dilate_mm=1.6)).degrees > plain + 20


@settings(max_examples=3, phases=PHASES)
@given(
    st.tuples(*[st.floats(-3, 3)] * 3), st.sampled_from([60.0, 150.0, 240.0]), st.integers(0, 99)
)
def test_turning_the_scan_changes_nothing(angles, degrees, seed):
    """The voxels turn with the patient: the same array, another affine."""
    tumour, vessel, affine = draw(Tube(degrees, (0.3, 0.2, 1), seed=seed, size_mm=52, along_mm=14))
    turn = np.eye(4)
    turn[:3, :3] = rotation(*angles)
    one = contact_of("v", tumour, vessel, affine, CONFIG)
    two = contact_of("v", tumour, vessel, turn @ affine, CONFIG)
    assert one.degrees == pytest.approx(degrees, abs=TOLERANCE)
    assert two.degrees == pytest.approx(one.degrees, abs=9)


@settings(max_examples=3, phases=PHASES)
@given(st.integers(0, 2), st.sampled_from([60.0, 150.0, 240.0]))
def test_mirrored_patients_have_the_same_angles(axis, degrees):
    tumour, vessel, affine = draw(Tube(degrees, (0.3, 0.2, 1), bend_mm=30, size_mm=52, along_mm=14))
    mirror = np.eye(4)
    mirror[axis, axis] = -1
    one = contact_of("v", tumour, vessel, affine, CONFIG)
    two = contact_of("v", tumour, vessel, mirror @ affine, CONFIG)
    assert two.degrees == pytest.approx(one.degrees, abs=6)
    # the array flipped with its affine is the same patient
    flip = np.eye(4)
    flip[axis, axis], flip[axis, 3] = -1, tumour.shape[axis] - 1
    same = contact_of(
        "v", np.flip(tumour, axis), np.flip(vessel, axis), affine @ flip, CONFIG
    )  # fmt: skip
    assert same.degrees == pytest.approx(one.degrees, abs=3)
