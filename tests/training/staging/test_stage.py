"""The stage: limits, what is unknown, resectability, and whole phantoms."""

import json

import numpy as np
import pytest

from benchmarks.staging_phantoms import Tube, draw
from training.staging.config import ContactConfig, StagingConfig, VesselConfig
from training.staging.contact import Contact
from training.staging.diameters import Lesion
from training.staging.resectability import resectability_of
from training.staging.stage import stage_case, staged
from voxcurate.classes import load_vocabulary
from voxcurate.config import build
from voxcurate.errors import ConfigError, GeometryError, SourceError
from voxcurate.volume import Volume

NAMES = ("SMA", "celiac", "SMV")


def lesion(size, *, is_cut=False):
    return Lesion(1.0, size, size / 2, size / 3, (0.0, 0.0, 0.0), is_cut)


def contacts(**degrees):
    """No contact but where degrees are given; None: unknown."""
    found = []
    for name in NAMES:
        value = degrees.get(name, 0)
        state = "unknown" if value is None else ("measured" if value else "none")
        found.append(Contact(name, state, value))
    return found


def stage(size, config=None, *, is_cut=False, **degrees):
    return staged([lesion(size, is_cut=is_cut)], contacts(**degrees), config or StagingConfig())


def test_the_classes_of_the_defaults_are_in_the_vocabulary():
    vocabulary = load_vocabulary()
    config = StagingConfig()
    for name in (*config.tumour, *config.ends_in, *(c for v in config.vessels for c in v.classes)):
        assert name in vocabulary


@pytest.mark.parametrize(
    ("size", "wanted"), [(5, "T1"), (20, "T1"), (20.1, "T2"), (40, "T2"), (40.1, "T3")]
)
def test_limits_of_size(size, wanted):
    found = stage(size)
    assert (found.label, found.size_mm) == (wanted, size)


def test_another_diameter_and_substages():
    assert stage(44, StagingConfig(diameter="axial")).stage == "T2"
    assert stage(44, StagingConfig(diameter="sphere")).stage == "T1"
    sizes = (("T1a", 5), ("T1b", 10), ("T1c", 20), ("T2", 40))
    fine = StagingConfig(sizes_mm=sizes)
    assert [stage(x, fine).stage for x in (4, 9, 19, 39, 60)] == ["T1a", "T1b", "T1c", "T2", "T3"]
    with pytest.raises(ConfigError, match="rising"):
        build(StagingConfig, {"sizes_mm": [["T1", 20], ["T2", 20]]})


def test_half_the_circumference_is_t4():
    assert stage(10, SMA=179.9).stage == "T1"
    found = stage(10, SMA=180)
    assert found.label == "T4"
    assert any("SMA: 180 degrees" in reason for reason in found.reasons)
    vein = VesselConfig(name="SMV", classes=("veins",))
    arteries = StagingConfig(vessels=(*StagingConfig().vessels[:2], vein))
    assert stage(10, arteries, SMV=300).stage == "T1"  # as in TNM, where veins do not count
    assert stage(10, StagingConfig(t4_deg=90), SMV=100).stage == "T4"


def test_what_is_unknown_makes_a_lower_bound():
    found = stage(30, celiac=None)
    assert (found.label, found.at_least) == ("at least T2", True)
    assert any("celiac" in r and "may be higher" in r for r in found.reasons)
    assert stage(30, celiac=None, SMA=200).label == "T4"  # it cannot be more
    assert stage(30, is_cut=True).label == "at least T2"
    assert stage(50, is_cut=True).label == "at least T3"
    bound = [Contact("SMA", "at least", 90.0), *contacts()[1:]]
    assert staged([lesion(10)], bound, StagingConfig()).label == "at least T1"
    bound = [Contact("SMA", "at least", 190.0), *contacts()[1:]]
    assert staged([lesion(10)], bound, StagingConfig()).label == "T4"


def test_what_is_near_a_limit_is_doubtful():
    found = staged([lesion(20.5)], contacts(SMA=170), StagingConfig(), voxel_mm=1.0)
    assert len(found.doubts) == 2
    assert staged([lesion(30)], contacts(SMA=100), StagingConfig(), voxel_mm=1.0).doubts == ()


def test_a_doubt_is_told_where_it_can_change_the_stage():
    def doubts(size, **degrees):
        return staged([lesion(size)], contacts(**degrees), StagingConfig(), voxel_mm=1.0).doubts

    assert doubts(20.5, SMA=300, SMV=170) == ()  # T4 by the artery, whatever the rest
    assert doubts(20.5, SMA=185) == ("SMA: 185 degrees is within 15 of the limit of 180",)
    vessel = VesselConfig(name="common_hepatic_artery", classes=("x",), t4=True)
    config = StagingConfig(vessels=(vessel,))
    found = staged([lesion(30)], [Contact(vessel.name, "measured", 185.0)], config)
    assert len(found.doubts) == 1  # its name has "mm" in it


@pytest.mark.parametrize(
    ("degrees", "wanted"),
    [
        ({}, "resectable"),
        ({"SMA": 9}, "resectable"),  # below the noise
        ({"SMA": 90}, "borderline"),
        ({"celiac": 180}, "borderline"),
        ({"SMA": 181}, "locally advanced"),
        ({"SMV": 180}, "resectable"),
        ({"SMV": 300}, "borderline"),
        ({"SMV": None}, "resectable or worse"),
        ({"SMA": 90, "SMV": None}, "borderline"),  # the vein can make it no worse
        ({"SMA": 90, "celiac": None}, "borderline or worse"),
        ({"SMA": 200, "celiac": None}, "locally advanced"),
        ({"SMA": None, "celiac": None, "SMV": None}, "unknown"),  # not: resectable
    ],
)
def test_resectability_by_angles(degrees, wanted):
    assert resectability_of(contacts(**degrees), StagingConfig()).label == wanted


def phantom(**change):
    tumour, vessel, affine = draw(Tube(size_mm=64, **change))
    return {
        "pancreatic_tumor": Volume(tumour.astype(np.uint8), affine),
        "superior_mesenteric_artery": Volume(vessel.astype(np.uint8), affine),
    }


def test_a_whole_case():
    masks = phantom(degrees=220)
    found = stage_case(masks)
    assert found.label == "T4"
    assert [c.state for c in found.contacts] == ["measured", "unknown", "unknown"]
    assert found.resectability.label == "locally advanced"
    plain = json.loads(json.dumps(found.plain()))
    assert plain["use"] == "research only"
    assert plain["vessels"][0]["degrees"] == pytest.approx(220, abs=15)
    assert stage_case(phantom(degrees=90)).label == "at least T2"


def test_all_vessels_seen_and_far_away():
    masks = phantom(degrees=90)
    vessel = masks.pop("superior_mesenteric_artery")
    array = np.zeros_like(vessel.array)
    array[2:6, 2:6] = 1
    for name in ("superior_mesenteric_artery", "celiac_trunk", "veins"):
        masks[name] = vessel.with_array(array)
    found = stage_case(masks)
    assert (found.stage, found.at_least) == ("T2", False)
    assert found.resectability.label == "resectable"
    # an empty file of the vein: the next class that shows it counts, else it is unknown
    masks["superior_mesenteric_vein"] = vessel.with_array(array * 0)
    assert not stage_case(masks).at_least
    del masks["veins"]
    assert stage_case(masks).at_least


def test_both_ways_of_measuring():
    masks = phantom(degrees=90, spacing=(1.0, 1.0, 1.0))
    own = stage_case(masks).contacts[0].degrees
    config = StagingConfig(contact=ContactConfig(method="published"))
    assert stage_case(masks, config).contacts[0].degrees > own + 10


def test_two_tumours_the_larger_one_gives_the_size():
    masks = phantom(degrees=90)
    array = masks["pancreatic_tumor"].array.copy()
    array[2:8, 2:8, 2:5] = 1
    masks["pancreatic_tumor"] = masks["pancreatic_tumor"].with_array(array)
    found = stage_case(masks)
    assert len(found.lesions) == 2
    assert found.size_mm == max(x.feret_mm for x in found.lesions)
    assert "largest of 2 tumours" in found.reasons[0]


def test_no_tumour_and_wrong_input():
    masks = phantom(degrees=90)
    empty = masks["pancreatic_tumor"].with_array(masks["pancreatic_tumor"].array * 0)
    found = stage_case({**masks, "pancreatic_tumor": empty})
    assert (found.label, found.size_mm, found.resectability) == ("no tumour", None, None)
    with pytest.raises(SourceError, match="pancreatic_tumor"):
        stage_case({"superior_mesenteric_artery": masks["superior_mesenteric_artery"]})
    moved = Volume(empty.array, empty.affine + np.diag([0.1, 0, 0, 0]))
    with pytest.raises(GeometryError, match="another grid"):
        stage_case({**masks, "aorta": moved})
