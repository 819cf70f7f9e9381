"""Pseudo labels count only where the predictions were measured to be good."""

import pytest

from labeling.assembly.assemble import choose, run
from labeling.config import AssembleConfig, LabelingConfig
from labeling.quality import class_quality, standing
from tests.voxcurate.factories import a_label, a_scan
from voxcurate.catalog import Assembly, Catalog, Measure
from voxcurate.classes import load_vocabulary
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace

DSC = {"liver": (0.9, 0.8, 0.1), "spleen": (0.0, 0.3, 0.2), "aorta": (0.0, 0.1)}


@pytest.fixture
def ctx(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    workspace = Workspace.create(tmp_path / "w")
    catalog = Catalog(workspace.catalog_url)
    context = StageContext(workspace, catalog, load_vocabulary(), 1, classes=tuple(DSC))
    with catalog.write() as writer:
        for n in range(4):
            writer.add(a_scan(case_id=f"a_{n}", path=f"scans/a_{n}/ct.nii.gz"))
        for class_id, values in DSC.items():
            for n, value in enumerate(values):
                name = f"{class_id}{n}"
                writer.add(a_label(label_id=name, case_id=f"a_{n}", class_id=class_id, voxels=5))
                writer.point(Assembly(0, f"a_{n}", class_id, name, "original"))
                facts = {"label_id": name, "out_of_fold": True}
                writer.put(Measure(1, "detect", f"a_{n}", class_id, "", "tot_dsc", value, facts))
            writer.add(
                a_label(
                    label_id=f"p_{class_id}",
                    case_id="a_3",
                    class_id=class_id,
                    origin="pseudo",
                    round=1,
                    voxels=5,
                )
            )
    yield context
    catalog.close()


def test_quality_is_the_median_over_trusted_labels(ctx):
    assert class_quality(ctx) == {"aorta": (0.05, 2), "liver": (0.8, 3), "spleen": (0.2, 3)}


def test_seen_cases_and_machine_labels_do_not_count(ctx):
    with ctx.catalog.write() as writer:
        for facts in ({"label_id": "p_liver", "out_of_fold": True}, {"label_id": "liver0"}):
            writer.put(Measure(1, "detect", "a_3", "liver", "", "tot_dsc", 0.0, facts))
    assert class_quality(ctx)["liver"] == (0.8, 3)


def test_a_poor_class_is_withheld_and_one_that_cannot_be_measured_is_not(ctx):
    found = standing(ctx, AssembleConfig())
    assert (found.withheld, found.measured) == ({"spleen": 0.2}, {"liver", "spleen"})
    found = standing(ctx, AssembleConfig(minimum_labels=2))
    assert found.withheld == {"aorta": 0.05, "spleen": 0.2}
    assert standing(ctx, AssembleConfig(minimum_dsc=0.0)).withheld == {}


def test_withheld_pseudo_labels_get_no_pointer(ctx):
    counts = run(ctx, LabelingConfig()).counts
    current = ctx.catalog.current()
    assert ("a_3", "liver") in current
    assert ("a_3", "spleen") not in current
    assert counts["pseudo_labels_withheld"] == {"spleen": 0.2}


def test_the_view_shows_what_pointers_say_though_withheld_later(ctx, monkeypatch):
    shown = {}
    monkeypatch.setattr(
        "labeling.assembly.assemble.rebuild_view",
        lambda _, scan, labels: shown.update({scan.case_id: set(labels)}),
    )
    with ctx.catalog.write() as writer:
        old = a_label(label_id="old", case_id="a_3", class_id="spleen", origin="pseudo")
        writer.add(old)
        writer.point(Assembly(0, "a_3", "spleen", "old", "pseudo"))
    run(ctx, LabelingConfig())
    assert ctx.catalog.current()["a_3", "spleen"].label_id == "old"
    assert shown["a_3"] == {"liver", "spleen", "aorta"}


def test_what_mends_a_given_label_stays():
    config = AssembleConfig()
    retired = a_label(voxels=5, retired=True)
    judged = a_label(label_id="j", origin="judged", parent="l1", round=1)
    pseudo = a_label(label_id="p", origin="pseudo", round=1)
    assert choose([retired, judged, pseudo], config, withheld=True) == (judged, "judged")
    assert choose([retired, pseudo], config, withheld=True) == (retired, "retired")
    assert choose([judged, pseudo], config, withheld=True) is None
    confirmed = a_label(label_id="c", origin="pseudo", confirmed=True)
    assert choose([confirmed], config, withheld=True) == (confirmed, "human")


def test_that_machines_find_nothing_makes_a_structure_unknown_unless_they_were_measured(ctx):
    with ctx.catalog.write() as writer:
        writer.add(a_scan(case_id="a_4", path="scans/a_4/ct.nii.gz"))
        for class_id in ("liver", "aorta"):
            empty = {"origin": "pseudo", "round": 1, "voxels": 0}
            writer.add(a_label(label_id=f"e_{class_id}", case_id="a_4", class_id=class_id, **empty))
    counts = run(ctx, LabelingConfig()).counts
    current = ctx.catalog.current()
    assert current["a_4", "liver"].label_id == "e_liver"  # absent: good models say so
    assert ("a_4", "aorta") not in current  # fewer than three labels measure the aorta
    assert counts["left_unknown"] == {"aorta": 1}
    assert current["a_3", "aorta"].label_id == "p_aorta"  # what they do find counts


def test_only_people_and_sources_say_that_an_unmeasured_structure_is_absent():
    config = AssembleConfig()
    pseudo = a_label(label_id="p", origin="pseudo", round=1)
    assert choose([pseudo], config) == (pseudo, "pseudo")
    assert choose([pseudo], config, measured=False) is None
    found = a_label(label_id="f", origin="pseudo", round=1, voxels=9)
    judged = a_label(label_id="j", origin="judged", parent="f", round=1)
    assert choose([found, judged], config, measured=False) is None  # the judge took it away
    assert choose([found, pseudo], config, measured=False) == (found, "pseudo")
    source = a_label(label_id="o")
    assert choose([source, pseudo], config, measured=False) == (source, "original")
    retired = a_label(label_id="r", voxels=5, retired=True)
    mended = a_label(label_id="m", origin="judged", parent="r", round=1)
    assert choose([retired, mended], config, measured=False) == (mended, "judged")
    seen = a_label(label_id="c", origin="pseudo", confirmed=True)
    assert choose([seen], config, measured=False) == (seen, "human")
