"""Sizes, in millimetres."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.rules.measure import measurements


@pytest.mark.parametrize(
    ("text", "dims"),
    [
        ("a 2.1 x 1.8 cm mass", (21.0, 18.0)),
        ("2,4 cm", (24.0,)),
        ("20 x 30 x 15-mm", (20.0, 30.0, 15.0)),
        ("2.1 cm x 18 mm", (21.0, 18.0)),
        ("5 mm axial images", (5.0,)),
    ],
)
def test_dimensions(text, dims):
    (found,) = measurements(text)
    assert found.dims_mm == dims
    assert found.largest_mm == max(dims)


@pytest.mark.parametrize("text", ["45 HU", "12 ml", "300 cm3", "level of T12", ""])
def test_other_numbers_are_no_sizes(text):
    assert measurements(text) == []


def test_ranges():
    for text in ("1 to 2 cm", "1-2 cm", "between 1 and 2 cm"):
        (found,) = measurements(text)
        assert (found.dims_mm, found.is_range) == ((10.0, 20.0), True)


@pytest.mark.parametrize(
    ("text", "now"),
    [
        ("2.1 x 2.0 cm (previously 1.8 x 1.5 cm)", [21.0]),
        ("increased from 1.2 to 2.1 cm", [21.0]),
        ("decreased from 3.1 cm to 2.0 cm", [20.0]),
        ("was 12 mm, now 9 mm", [9.0]),
        ("12 mm on the prior study", []),
        ("measures 2.2 cm, compared with 1.9 cm", [22.0]),
        ("in the previous examination 6,0 cm, now 4,2 cm", [42.0]),
        ("now 21 mm against 30 mm", [21.0]),
        ("a nodule, 6 mm, was 9 mm, so smaller", [6.0]),
        ("13 mm nodule in the left lower lobe (was 8 mm)", [13.0]),
        ("4.5 cm was 5.1 cm", [45.0]),
        ("1.2 cm (prev. 1.0 cm)", [12.0]),
        ("14 mm, unchanged to 15 mm", [14.0]),
        ("31 mm, having been 22 mm", [31.0]),
        ("the largest was 9 mm", [9.0]),
        ("adrenal nodules rt 2.2 lt 1.5 cm", [22.0, 15.0]),
        ("nodules right 2.2, left 1,5 cm", [22.0, 15.0]),
        (".8 cm", [8.0]),
    ],
)
def test_sizes_of_earlier_studies_are_marked(text, now):
    assert [m.largest_mm for m in measurements(text) if not m.is_prior] == now


def test_below_a_centimetre_is_bounded():
    (found,) = measurements("Subcentimetre hypodensities in the liver.")
    assert (found.largest_mm, found.rule) == (10.0, "below 10 mm, not measured")


def test_a_size_described_earlier_is_still_of_now():
    (found,) = measurements("The previously described 8 mm nodule is unchanged.")
    assert not found.is_prior


def test_distances_are_marked():
    assert measurements("3 cm from the anal verge")[0].is_distance
    assert measurements("5 mm thick axial slices")[0].is_distance


@given(st.integers(1, 400))
def test_centimetres_and_millimetres_agree(tenths):
    (in_cm,) = measurements(f"a lesion of {tenths / 10} cm")
    (in_mm,) = measurements(f"a lesion of {tenths} mm")
    assert in_cm.largest_mm == pytest.approx(in_mm.largest_mm)
