"""Histories, undoing, conflicts between labels, and versions of the dataset."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from agent.cli.labels_view import conflicts_of
from labeling.assembly import assemble
from labeling.assembly.conflicts import excluding_pairs
from labeling.assembly.history import history
from labeling.assembly.undo import undo
from labeling.assembly.versions import (
    current_version,
    differences,
    list_versions,
    read_version,
    write_version,
)
from labeling.config import AssembleConfig, JudgeConfig, LabelingConfig
from labeling.expert import detect, judge
from labeling.fusion import fuse
from tests.labeling.conftest import CLASSES, PLANTED, SHAPE, build
from voxcurate.catalog import Decision, Label, Measure, Round
from voxcurate.classes import load_vocabulary
from voxcurate.errors import CatalogError
from voxcurate.labels import read_mask

CONFIG = LabelingConfig(judge=JudgeConfig(auto_mend=("pseudo", "judged", "original")))
WHO = {"actor": "human:ab", "reason": "cut off"}


@pytest.fixture(scope="module")
def assembled(tmp_path_factory):
    """A round with planted errors up to its assembly; the tests below change different cases."""
    world = build(tmp_path_factory.mktemp("w") / "ws", planted=PLANTED)
    for stage in (fuse, detect, judge):
        stage.run(world.ctx, CONFIG)
    pointers = world.ctx.catalog.current()
    result = assemble.run(world.ctx, CONFIG)
    return world, pointers, result


def pointer(world, case_id, class_id):
    return world.ctx.catalog.current()[case_id, class_id]


def mended(world):
    """Structures whose label another one replaced in the round."""
    return [
        (d.case_id, d.class_id)
        for d in world.ctx.catalog.rows(Decision, stage="assemble", verdict="pointer")
        if d.other_label
    ]


def test_a_history_names_every_version_and_why_the_last_one_counts(assembled):
    world, _, _ = assembled
    case_id, class_id = mended(world)[0]
    told = history(world.ctx.catalog, case_id, class_id)
    assert told.current == pointer(world, case_id, class_id)
    assert {v.label_id for v in told.versions} == {
        step.label_id for step in told.steps if step.what == "drawn"
    }
    assert told.steps[0].what == "drawn"
    moved = [step for step in told.steps if step.what == "pointer"]
    assert moved[-1].label_id == told.current.label_id
    assert moved[-1].other in {v.label_id for v in told.versions}
    makers = {step.stage: step.who for step in told.steps if step.what == "drawn"}
    assert makers["original"] == "source"
    assert makers["pseudo"].startswith("model ensemble-")


def test_of_an_unknown_structure_there_is_no_history(assembled):
    world, _, _ = assembled
    with pytest.raises(CatalogError, match="nobody has labelled aorta"):
        history(world.ctx.catalog, "src_case00", "aorta")


def test_undoing_brings_the_version_before_back_and_undoing_again_the_other(assembled):
    world, before, _ = assembled
    case_id, class_id = mended(world)[0]
    new = pointer(world, case_id, class_id)
    old = before[case_id, class_id]
    view = world.ctx.workspace.scan_path(case_id).parent / "segmentations" / f"{class_id}.nii.gz"

    undone = undo(world.ctx, CONFIG.assemble, case_id, class_id, **WHO)
    assert (undone.label_id, undone.instead_of) == (old.label_id, new.label_id)
    assert pointer(world, case_id, class_id).label_id == old.label_id
    label = world.ctx.catalog.one(Label, label_id=old.label_id)
    shown = read_mask(world.ctx.workspace.root, label.path, SHAPE)
    assert np.array_equal(shown, np.asarray(_read(view)) > 0)

    assert assemble.run(world.ctx, CONFIG).counts["changed"] == 0  # it stays undone
    again = undo(world.ctx, CONFIG.assemble, case_id, class_id, **WHO)
    assert again.label_id == new.label_id
    assert pointer(world, case_id, class_id).trust == new.trust
    assert assemble.run(world.ctx, CONFIG).counts["changed"] == 0
    steps = [s.what for s in history(world.ctx.catalog, case_id, class_id).steps]
    assert steps.count("undo") == 2


def test_any_version_can_be_made_to_count_and_stays(assembled):
    world, _, _ = assembled
    versions = world.ctx.catalog.rows(Label, case_id="src_case07", class_id="liver")
    now = pointer(world, "src_case07", "liver").label_id
    other = next(v.label_id for v in versions if v.label_id != now)
    made = undo(world.ctx, CONFIG.assemble, "src_case07", "liver", to=other, **WHO)
    assert (made.label_id, made.set_aside) == (other, (now,))
    assert assemble.run(world.ctx, CONFIG).counts["changed"] == 0
    assert pointer(world, "src_case07", "liver").label_id == other


@pytest.mark.parametrize(
    ("case_id", "class_id", "to", "why"),
    [
        ("src_case99", "liver", "", "no label of liver counts"),
        ("src_case11", "liver", "", "never mended"),
        ("src_case08", "liver", "", "no version before"),
        ("src_case08", "liver", "nonsense", "no version nonsense"),
    ],
)
def test_what_cannot_be_undone_is_said(assembled, case_id, class_id, to, why):
    world, _, _ = assembled
    rows = len(world.ctx.catalog.rows(Decision))
    with pytest.raises(CatalogError, match=why):
        undo(world.ctx, CONFIG.assemble, case_id, class_id, to=to, **WHO)
    assert len(world.ctx.catalog.rows(Decision)) == rows


def test_labels_of_excluding_classes_that_share_voxels_are_told(tmp_path):
    def grow(masks):
        both = masks["liver"] | masks["kidney_right"]
        return {**masks, "kidney_right": both}

    world = build(tmp_path / "ws", planted={2: grow}, n_train=4, n_validation=1, n_test=1)
    result = assemble.run(world.ctx, CONFIG)
    rows = world.ctx.catalog.rows(Measure, stage="assemble", name="conflict_ml")
    (row,) = [r for r in rows if r.class_id]
    sums = {r.case_id: r.value for r in rows if not r.class_id}
    assert set(sums) == set(world.ctx.cases())
    assert {case: value for case, value in sums.items() if value} == {"src_case02": row.value}
    assert (row.case_id, row.class_id, row.facts["other"]) == (
        "src_case02", "kidney_right", "liver",
    )  # fmt: skip
    liver = world.truth["src_case02"]["liver"]
    assert row.facts["voxels"] == np.count_nonzero(liver)
    places = np.argwhere(liver)
    assert row.facts["box"] == [
        [int(a), int(b) + 1] for a, b in zip(places.min(0), places.max(0), strict=True)
    ]
    assert result.counts["conflicts"] == 1
    assert assemble.run(world.ctx, CONFIG).counts["conflicts"] == 1  # from the ledger
    without = replace(world.ctx)
    off = CONFIG.model_copy(update={"assemble": AssembleConfig(compare=False)})
    assert "conflicts" not in assemble.run(without, off).counts


def test_what_one_fusion_drew_is_not_compared_again():
    vocabulary = load_vocabulary()
    label = Label("a", "c", "liver", "pseudo", "", "m1", 1, "p", "", "s", 1.0, 5)
    other = replace(label, label_id="b", class_id="spleen")
    assert excluding_pairs({"liver": label, "spleen": other}, vocabulary) == [("liver", "spleen")]
    broken = {"broken": [{"rule": "overlap", "other": "spleen"}]}
    fine, told = replace(label, facts={"broken": []}), replace(label, facts=broken)
    other = replace(other, facts={"broken": []})
    assert excluding_pairs({"liver": fine, "spleen": other}, vocabulary) == []
    assert excluding_pairs({"liver": told, "spleen": other}, vocabulary) == [("liver", "spleen")]
    later = replace(other, round=2)
    assert excluding_pairs({"liver": label, "spleen": later}, vocabulary) == [("liver", "spleen")]
    inside = replace(later, class_id="hepatic_vessel")
    pairs = excluding_pairs({"liver": label, "hepatic_vessel": inside}, vocabulary)
    assert pairs == [] or "hepatic_vessel" not in vocabulary
    empty = replace(later, voxels=0)
    assert excluding_pairs({"liver": label, "spleen": empty}, vocabulary) == []


def test_what_counted_before_is_known_within_a_round_too(tmp_path):
    world = build(tmp_path / "ws", planted={}, n_train=3, n_validation=1, n_test=1)
    ctx, key = world.ctx, ("src_case00", "liver")
    assemble.run(ctx, CONFIG)
    original = pointer(world, *key).label_id
    fuse.run(ctx, CONFIG)
    (pseudo,) = ctx.catalog.rows(Label, case_id=key[0], class_id=key[1], origin="pseudo")
    for label_id in (pseudo.label_id, original):  # a person confirms one, then the other instead
        with ctx.catalog.write() as writer:
            for each in (pseudo.label_id, original):
                why = Decision("", 1, "review", *key, each, "confirm", label_id, "human:x")
                writer.flag(each, why, confirmed=each == label_id)
        assemble.run(ctx, CONFIG)
        assert pointer(world, *key).label_id == label_id
    undone = undo(ctx, CONFIG.assemble, *key, **WHO)
    assert (undone.label_id, undone.instead_of) == (pseudo.label_id, original)
    assert undone.set_aside == (original,)
    again = undo(ctx, CONFIG.assemble, *key, **WHO)
    assert (again.label_id, again.set_aside) == (original, ())
    assert not ctx.catalog.one(Label, label_id=pseudo.label_id).retired


def test_a_version_that_may_not_count_yet_is_refused(tmp_path):
    world = build(tmp_path / "ws", planted={}, n_train=4, n_validation=1, n_test=1)
    fuse.run(world.ctx, CONFIG)
    detect.run(world.ctx, CONFIG)
    strict = AssembleConfig(minimum_dsc=1.0, minimum_labels=1)
    (pseudo,) = world.ctx.catalog.rows(
        Label, case_id="src_case00", class_id="liver", origin="pseudo"
    )
    with pytest.raises(CatalogError, match="cannot count"):
        undo(world.ctx, strict, "src_case00", "liver", to=pseudo.label_id, **WHO)
    assert pointer(world, "src_case00", "liver").trust == "original"


def test_a_solved_conflict_is_no_longer_listed(tmp_path):
    def grow(masks):
        return {**masks, "kidney_right": masks["liver"] | masks["kidney_right"]}

    world = build(tmp_path / "ws", planted={2: grow}, n_train=4, n_validation=1, n_test=1)
    with world.ctx.catalog.write() as writer:
        writer.put(Round(1, "done", {}, {}, 0, ""))
    assemble.run(world.ctx, CONFIG)
    assert len(conflicts_of(world.ctx.catalog)) == 1
    label = pointer(world, "src_case02", "kidney_right").label_id
    second = replace(world.ctx, round=2)
    with world.ctx.catalog.write() as writer:
        writer.put(Round(2, "running", {}, {}, 0, ""))
        why = Decision("", 2, "review", "src_case02", "kidney_right", label, "retire", "", "x")
        writer.flag(label, why, retired=True)
    assemble.run(second, CONFIG)
    assert conflicts_of(world.ctx.catalog) == []


def test_a_version_holds_every_label_that_counts_and_its_name_is_its_content(tmp_path):
    world = build(tmp_path / "ws", planted={}, n_train=3, n_validation=1, n_test=1)
    name = assemble.run(world.ctx, CONFIG).counts["dataset_version"]
    rows = list(read_version(world.ctx.workspace, name))
    assert len(rows) == 5 * len(CLASSES)
    pointers = world.ctx.catalog.current()
    for row in rows:
        key = (row["case_id"], row["class_id"])
        assert row["label_id"] == pointers[key].label_id
        label = world.ctx.catalog.one(Label, label_id=row["label_id"])
        assert (row["label_sha256"], int(row["voxels"])) == (label.sha256, label.voxels)
    assert write_version(world.ctx) == name
    assert len(list_versions(world.ctx.workspace)) == 1

    fuse.run(world.ctx, CONFIG)
    pseudo = world.ctx.catalog.rows(Label, case_id="src_case00", class_id="liver", origin="pseudo")
    undo(world.ctx, CONFIG.assemble, "src_case00", "liver", to=pseudo[0].label_id, **WHO)
    after = write_version(world.ctx)
    (change,) = differences(world.ctx.workspace, name, after)
    assert (change.case_id, change.class_id) == ("src_case00", "liver")
    assert (change.old_trust, change.new_trust) == ("original", "pseudo")
    assert [h["before"] for h in list_versions(world.ctx.workspace)] == ["", name]
    assert current_version(world.ctx.workspace) == after

    undo(world.ctx, CONFIG.assemble, "src_case00", "liver", **WHO)
    assert write_version(world.ctx) == name  # the same labels are the same version
    assert current_version(world.ctx.workspace) == name


def test_differences_name_what_is_only_in_one_of_two_versions(tmp_path):
    world = build(tmp_path / "ws", planted={}, n_train=3, n_validation=1, n_test=1)
    first = write_version(world.ctx)
    with world.ctx.catalog.write() as writer:
        label = pointer(world, "src_case01", "spleen").label_id
        why = Decision("", 1, "review", "src_case01", "spleen", label, "retire", "wrong", "x")
        writer.flag(label, why, retired=True)
    second = write_version(world.ctx)
    (change,) = differences(world.ctx.workspace, first, second)
    assert (change.case_id, change.class_id, change.new) == ("src_case01", "spleen", "")
    (back,) = differences(world.ctx.workspace, second, first)
    assert (back.old, back.new) == ("", change.old)


def test_a_damaged_or_missing_version_is_refused(tmp_path):
    world = build(tmp_path / "ws", planted={}, n_train=3, n_validation=1, n_test=1)
    name = write_version(world.ctx)
    table = world.ctx.workspace.root / "datasets" / name / "labels.csv.gz"
    text = gzip.decompress(table.read_bytes()).replace(b"original", b"gold", 1)
    table.write_bytes(gzip.compress(text))
    with pytest.raises(CatalogError, match="differs from its hash"):
        list(read_version(world.ctx.workspace, name))
    with pytest.raises(CatalogError, match="no dataset version v0"):
        list(read_version(world.ctx.workspace, "v0"))
    head = json.loads((table.parent / "dataset.json").read_text())
    assert head["trust"] == {"original": 5 * len(CLASSES)}


def _read(path):
    from voxcurate.nifti import read_nifti

    return read_nifti(path).array
