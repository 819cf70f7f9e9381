"""Parts of the synthetic cohort, each on small arrays or single scans."""

from datetime import date
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cohort import label_errors, labels, phrases
from agent.cohort.anatomy import Body, Phantom, Pose, grid_points
from agent.cohort.copies import duplicate
from agent.cohort.corruption import FILE_KINDS, NIFTI_KINDS, Volume, corrupt
from agent.cohort.manners import manner
from agent.cohort.person import Person, Tumor, draw_people
from agent.cohort.physics import Exposure, correlated_noise, expose
from agent.cohort.plan import COPY_ROUTES, plan_cohort
from agent.cohort.reports import Visit, write_report
from agent.cohort.scanner import Acquired, reorient
from agent.cohort.shapes import Blend, Ellipsoid, Tube
from agent.cohort.tissues import CLASSES, ORGANS, PHASES, Tissue, attenuation
from voxcurate.config import shipped

Masks = dict[str, np.ndarray]
SHAPE = (76, 60, 52)
SPACING = np.array([5.0, 5.2, 4.8])
AFFINE = np.diag([*SPACING, 1.0])


def _person(**changes: object) -> Person:
    person = draw_people(4, 0)[0]
    plain: dict[str, object] = {
        "tumor": None,
        "absent": frozenset(),
        "conditions": frozenset(),
        "size": 1.0,
    }
    fields: dict[str, Any] = {**vars(person), **plain, **changes}
    return Person(**fields)


def _draw(person: Person, visit: int = 0) -> tuple[Phantom, np.ndarray]:
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = np.array([0, 25, -20]) - SPACING * (np.array(SHAPE) - 1) / 2
    pose = Pose(np.eye(3), np.zeros(3))
    points = grid_points(SHAPE, affine)
    return Body(person, 0).draw(points, SHAPE, pose, visit=visit, seed=0), affine


# --- shapes ---


def test_distance_of_an_ellipsoid_on_paper() -> None:
    ball = Ellipsoid((1, 2, 3), (10, 10, 10))
    points = np.array([[1, 2, 3], [11, 2, 3], [1, 22, 3]], np.float32).T
    distance = ball.distance(points + np.float32(1e-4))
    assert distance[0] <= -9 or distance[0] == pytest.approx(0, abs=1e-2)
    assert distance[1] == pytest.approx(0, abs=0.05)
    assert distance[2] == pytest.approx(10, rel=0.01)


def test_a_turned_ellipsoid_fits_its_box() -> None:
    shape = Ellipsoid((0, 0, 0), (5, 10, 20), (20, -35, 50))
    low, high = shape.box()
    grid = np.stack(np.meshgrid(*[np.arange(-24, 25.0)] * 3)).reshape(3, -1).astype(np.float32)
    inside = grid[:, shape.distance(grid) < 0]
    assert (inside.min(1) >= low - 1e-3).all()
    assert (inside.max(1) <= high + 1e-3).all()
    assert inside.shape[1] == pytest.approx(4 / 3 * np.pi * 5 * 10 * 20, rel=0.03)


def test_a_straight_tube_has_its_radius_everywhere() -> None:
    tube = Tube(((0, 0, 0), (40, 0, 0)), (6, 6), step_mm=1.0)
    points = np.array([[10, 6, 0], [25, 0, 9], [20, 0, 0]], np.float32).T
    np.testing.assert_allclose(tube.distance(points), [0, 3, -6], atol=0.05)


def test_a_cut_takes_away() -> None:
    bitten = Blend([Ellipsoid((0, 0, 0), (10, 10, 10))], [Ellipsoid((10, 0, 0), (5, 5, 5))])
    points = np.array([[8, 0, 0.1], [-8, 0, 0.1]], np.float32).T
    assert (bitten.distance(points) < 0).tolist() == [False, True]


# --- anatomy ---


def test_volumes_are_those_of_people() -> None:
    phantom, _ = _draw(_person())
    ml = {name: phantom.mask(name).sum() * SPACING.prod() / 1000 for name in CLASSES}
    bounds = {
        "liver": (800, 2200),
        "spleen": (60, 350),
        "kidney_left": (80, 260),
        "kidney_right": (80, 260),
        "pancreas": (35, 130),
        "stomach": (150, 700),
        "gall_bladder": (8, 70),
        "aorta": (30, 120),
        "postcava": (40, 130),
        "duodenum": (40, 140),
    }
    for name, (low, high) in bounds.items():
        assert low < ml[name] < high, name
    assert ml["pancreatic_tumor"] == 0


@pytest.mark.parametrize("diameter", [12.0, 30.0, 48.0])
def test_a_tumour_has_its_diameter_in_the_world_and_lies_in_the_pancreas(diameter: float) -> None:
    person = _person(tumor=Tumor("pdac", diameter, 0.6))
    phantom, _ = _draw(person)
    extent = np.ptp(np.argwhere(phantom.tumor) * SPACING, axis=0).max()
    assert extent == pytest.approx(diameter, abs=float(np.linalg.norm(SPACING)))
    assert phantom.mask("pancreas")[phantom.tumor].all()


def test_a_tumour_grows_from_visit_to_visit_and_nothing_else_moves() -> None:
    person = _person(tumor=Tumor("pdac", 20.0, 0.85))
    first, second = _draw(person)[0], _draw(person, visit=1)[0]
    assert second.tumor.sum() > 1.2 * first.tumor.sum()
    assert label_errors.dsc(first.mask("liver"), second.mask("liver")) == 1


@pytest.mark.parametrize("organ", ["gall_bladder", "spleen", "kidney_left"])
def test_what_was_taken_out_is_not_there(organ: str) -> None:
    phantom, _ = _draw(_person(absent=frozenset({organ})))
    assert not phantom.mask(organ).any()


def test_organs_do_not_overlap_and_gas_lies_above_fluid() -> None:
    phantom, _ = _draw(_person())
    assert phantom.organs.max() == len(ORGANS) - 1  # no bladder in view
    stomach = phantom.mask("stomach")
    gas = np.argwhere(stomach & (phantom.tissue == Tissue.GAS))
    fluid = np.argwhere(stomach & (phantom.tissue == Tissue.STOMACH_FLUID))
    assert gas[:, 1].min() >= fluid[:, 1].max()


def test_contrast_by_phase() -> None:
    table = {p: attenuation(p, np.random.default_rng(0)) for p in PHASES}
    aorta = [table[p][Tissue.AORTA] for p in PHASES]
    assert aorta[1] > aorta[2] > aorta[3] > aorta[0]
    assert table["portal_venous"][Tissue.PDAC] < table["portal_venous"][Tissue.PANCREAS] - 15
    assert table["arterial"][Tissue.PNET] > table["arterial"][Tissue.PANCREAS] + 40
    assert table["plain"][Tissue.FAT] < -80


def test_an_exposure_is_int16_hu_with_the_wanted_noise() -> None:
    tissue = np.full((30, 26, 22), Tissue.MUSCLE, np.uint8)
    image = expose(tissue, Exposure("plain", 14.0, 0.5, (1, 2)))
    assert image.dtype == np.int16
    assert image.std() == pytest.approx(np.hypot(14, 5), rel=0.25)
    noise = correlated_noise(tissue.shape, np.random.default_rng(0), 10.0)
    beside = np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]
    assert noise.std() == pytest.approx(10, rel=1e-3)
    assert beside > 0.15


# --- label errors ---


@pytest.fixture(scope="module")
def masks() -> dict[str, np.ndarray]:
    phantom, _ = _draw(_person(absent=frozenset({"gall_bladder"})))
    return {name: phantom.mask(name) for name in CLASSES}


@pytest.mark.parametrize("kind", labels.KINDS)
def test_every_kind_of_error_is_plain_to_see_and_repeats(kind: str, masks: Masks) -> None:
    fitting = [name for name in CLASSES if labels.can_plant(kind, name, masks)]
    assert fitting
    for name in fitting:
        drawn = labels.plant(kind, name, masks, AFFINE, [1, 2])
        again = labels.plant(kind, name, masks, AFFINE, [1, 2])
        assert drawn.dsc == label_errors.dsc(drawn.mask, masks[name])
        assert drawn.dsc < labels.GOOD_DSC
        assert (drawn.mask == again.mask).all()
        assert drawn.mask.any() == (kind != "missing")


def test_a_false_positive_needs_an_absent_organ_and_the_rest_a_present_one(masks: Masks) -> None:
    assert labels.can_plant("false_positive", "gall_bladder", masks)
    assert not labels.can_plant("false_positive", "liver", masks)
    assert not labels.can_plant("cut_off", "gall_bladder", masks)
    assert not labels.can_plant("left_right_swap", "liver", masks)
    assert labels.can_plant("missing", "liver", masks)
    assert not labels.can_plant("missing", "liver", masks, complete=False)


def test_a_careful_drawing_is_close_and_an_empty_one_stays_empty(masks: Masks) -> None:
    for name in ("liver", "pancreas", "aorta", "gall_bladder"):
        drawn = labels.annotate(masks[name], np.random.default_rng(4))
        assert label_errors.dsc(drawn, masks[name]) > 0.92
        if masks[name].any():
            assert (drawn != masks[name]).any()


# --- damage and copies ---


@pytest.mark.parametrize("kind", NIFTI_KINDS)
def test_damage_leaves_the_original_alone_and_changes_the_copy(kind: str) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(-1000, 1000, (12, 10, 24)).astype(np.int16)
    kept = image.copy()
    damaged = corrupt(Volume(image, np.diag([4.0, 4.1, 5, 1])), kind, rng)
    assert (image == kept).all()
    same = damaged.image.shape == image.shape and (damaged.image == image).all()
    assert same == (kind in (*FILE_KINDS, "wrong_spacing"))
    if kind == "wrong_spacing":
        assert np.linalg.norm(damaged.affine[:3, 0]) == pytest.approx(0.001)
    if kind == "nan_block":
        assert np.isnan(damaged.image).mean() == pytest.approx(4 / 24)
    if kind == "repeated_slices":
        steps = np.abs(np.diff(damaged.image.astype(int), axis=2)).sum((0, 1))
        assert (steps == 0).sum() == 24 // 3 - 1


def _scan() -> Acquired:
    rng = np.random.default_rng(5)
    shape = (20, 17, 14)
    affine = np.array([[0, 4.2, 0, 5], [-3.7, 0, 0.4, 7], [0.2, 0, 5.1, -60], [0, 0, 0, 1]], float)
    organs = rng.integers(0, 12, shape).astype(np.uint8)
    image = rng.integers(-100, 100, shape).astype(np.int16)
    return Acquired(image, organs, organs == 3, affine)


@given(st.permutations(range(3)), st.tuples(*[st.booleans()] * 3))
@settings(max_examples=30, deadline=None)
def test_reorienting_moves_no_voxel_in_the_world(order: list[int], flips: tuple[bool, ...]) -> None:
    letters = ("RL", "AP", "SI")
    codes = "".join(letters[axis][flip] for axis, flip in zip(order, flips, strict=True))
    scan = _scan()
    turned = reorient(scan, codes)
    for index in ((0, 0, 0), (19, 3, 8), (4, 16, 13)):
        world = scan.affine @ (*index, 1)
        other = np.rint(np.linalg.inv(turned.affine) @ world).astype(int)[:3]
        assert turned.image[tuple(other)] == scan.image[index]
        assert turned.organs[tuple(other)] == scan.organs[index]


@pytest.mark.parametrize("kind", COPY_ROUTES)
def test_copies_keep_image_and_masks_together(kind: str) -> None:
    scan = _scan()
    copy = duplicate(scan, kind, np.random.default_rng(1))
    assert copy.image.shape == copy.organs.shape == copy.tumor.shape
    index = np.array([5, 5, 5])
    place = np.linalg.inv(scan.affine) @ copy.affine @ (*index, 1)
    nearest = tuple(np.rint(place[:3]).astype(int))
    assert copy.organs[tuple(index)] == scan.organs[nearest]


def test_a_cohort_of_24_has_every_kind_of_damage_and_copy() -> None:
    plans = plan_cohort(draw_people(24, 1), 1)
    assert {p.corruption for p in plans} - {""} == set(NIFTI_KINDS)
    assert {p.copy_kind for p in plans} - {""} == set(COPY_ROUTES)
    names = [(p.source, p.name) for p in plans]
    assert len(set(names)) == len(names)
    assert all(p.copy_of is None or p.copy_of < p.index for p in plans)


def test_a_third_of_the_patients_has_a_tumour_of_known_size() -> None:
    people = draw_people(24, 2)
    sizes = [p.tumor.diameter_mm for p in people if p.tumor]
    assert len(sizes) == 8
    assert min(sizes) == 8
    assert max(sizes) == 50
    assert len({p.identity.last for p in people}) == 24


# --- reports ---


def _visit(tumor_mm: float) -> Visit:
    return Visit(date(2020, 5, 6), "arterial", "NC1", tumor_mm, None, 0.0, frozenset({"liver"}))


def test_every_phrase_answers_questions_that_readers_are_asked() -> None:
    asked: set[str] = set()
    for path in shipped("questions").glob("*.yaml"):
        asked |= set(yaml.safe_load(path.read_text()))
    for value in vars(phrases).values():
        groups = value.values() if isinstance(value, dict) else [value]
        for group in groups:
            for phrase in group if isinstance(group, tuple) else ():
                for effect in phrase.partition(" || ")[2].split():
                    assert effect.partition("=")[0] in asked


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_a_report_says_of_the_tumour_what_the_truth_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ill = write_report(_person(tumor=Tumor("pdac", 27.0, 0.6)), _visit(27.0), rng)
    assert ill.answers["pancreas_lesion"] == "yes"
    assert ill.answers["pancreas_lesion_size"] == 27
    assert any(size in ill.text.lower() for size in ("27 mm", "2.7 cm", "27 x"))
    well = write_report(_person(), _visit(0.0), rng)
    assert well.answers["pancreas_lesion"] in ("no", "uncertain")
    assert "pancreas_lesion_size" not in well.answers


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_a_manner_touches_no_number_and_no_short_word(seed: int) -> None:
    text = "There is no mass. The left kidney measures 11.2 cm; a 7 mm calcification is unchanged."
    told = manner(np.random.default_rng(seed))(text, np.random.default_rng(seed)).lower()
    for kept in ("no mass", "left kidney", "11.2 cm", "7 mm", "unchanged"):
        assert kept in told


def test_reports_vary_and_hold_the_name() -> None:
    person = _person()
    texts = {write_report(person, _visit(0.0), np.random.default_rng(s)).text for s in range(20)}
    assert len(texts) == 20
    assert all(person.identity.last.lower() in text.lower() for text in texts)
