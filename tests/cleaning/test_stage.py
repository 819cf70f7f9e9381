"""The stage on a small workspace: who leaves, why, and that nothing is done twice."""

from dataclasses import replace

import numpy as np
import pytest

from cleaning import checking, joining, stage
from cleaning.config import CleaningConfig
from cleaning.duplicates.hashing import HASH_VERSION, fingerprint
from cleaning.duplicates.pairs import suspects
from cleaning.listing import hash_marks
from tests.cleaning.phantom import phantom
from tests.voxcurate.factories import a_label, a_scan
from voxcurate.catalog import Assembly, Catalog, Decision, Label, Report, Scan, ScanPair
from voxcurate.classes import load_vocabulary
from voxcurate.errors import ConfigError
from voxcurate.executors import ExecutorConfig
from voxcurate.identifiers import Identifiers
from voxcurate.ids import file_sha256
from voxcurate.labels import adopt_mask, read_mask, write_mask
from voxcurate.nifti import write_nifti
from voxcurate.stage import StageContext
from voxcurate.volume import Volume
from voxcurate.workspace import Workspace

CONFIG = CleaningConfig()


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    workspace = Workspace.create(tmp_path / "w")
    catalog = Catalog(workspace.catalog_url)
    yield StageContext(
        workspace,
        catalog,
        load_vocabulary(),
        round=1,
        executor_config=ExecutorConfig(kind="serial"),
        quiet=True,
    )
    catalog.close()


def put(context, case_id, volume, **facts):
    path = context.workspace.scan_path(case_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(path, volume)
    scan = a_scan(
        case_id=case_id,
        path=context.workspace.relative(path),
        sha256=file_sha256(path),
        patient=facts.pop("patient", f"p_{case_id}"),
        shape=list(volume.shape),
        spacing=list(volume.spacing),
        affine=volume.affine.tolist(),
        **facts,
    )
    with context.catalog.write() as writer:
        writer.put(scan)


def status(context):
    return {scan.case_id: scan.status for scan in context.catalog.rows(Scan)}


def cropped(volume):
    return Volume(volume.array[2:-2, 2:-3, 1:-2], volume.affine)


def test_bad_and_double_scans_leave_with_their_reasons(context):
    good = phantom(0)
    put(context, "good", good)
    put(context, "copy", cropped(good))
    put(context, "other", phantom(1))
    put(context, "shifted", phantom(2).with_array(phantom(2).array + 1024))
    put(context, "windowed", phantom(3).with_array(np.clip(phantom(3).array, -1024, 300)))
    with context.catalog.write() as writer:
        writer.add(a_label(case_id="good"))
    result = stage.run(context, CONFIG)
    assert status(context) == {
        "good": "ok",
        "copy": "duplicate",
        "other": "ok",
        "shifted": "rejected",
        "windowed": "suspect",
    }
    assert not result.failed
    assert result.counts["checked"] == 5
    assert [scan.case_id for scan in context.scans()] == ["good", "other", "windowed"]
    said = {d.case_id: d for d in context.catalog.rows(Decision, stage="clean")}
    assert said["copy"].verdict == "duplicate"
    assert said["copy"].evidence["kept"] == "good"
    assert said["copy"].evidence["detail_ncc"] > 0.9
    assert said["shifted"].verdict == "reject"
    assert said["shifted"].evidence["offset_hu"] == pytest.approx(1024, abs=80)


def test_a_second_run_changes_and_computes_nothing(context, monkeypatch):
    put(context, "a", phantom(0))
    put(context, "b", cropped(phantom(0)))
    stage.run(context, CONFIG)
    before = context.catalog.rows(Scan), context.catalog.rows(Decision)
    monkeypatch.setattr(checking, "examine", None)
    monkeypatch.setattr(joining, "prove", None)
    for number in (1, 2):
        result = stage.run(replace(context, round=number), CONFIG)
        assert result.counts["changed"] == 0
    assert (context.catalog.rows(Scan), context.catalog.rows(Decision)) == before


def test_a_broken_file_fails_alone_and_is_tried_again(context):
    put(context, "a", phantom(0))
    put(context, "b", phantom(1))
    path = context.workspace.scan_path("b")
    whole = path.read_bytes()
    path.write_bytes(whole[:2000])
    result = stage.run(context, CleaningConfig(leak_scan=False))
    assert set(result.failed) == {"b"}
    assert status(context)["a"] == "ok"
    path.write_bytes(whole)
    assert not stage.run(context, CONFIG).failed


def test_copies_across_splits_keep_the_test_scan(context):
    put(context, "a", phantom(0), split="train")
    put(context, "b", phantom(0), split="test")
    with context.catalog.write() as writer:
        writer.add(a_label(case_id="a"))
    stage.run(context, CONFIG)
    assert status(context) == {"a": "duplicate", "b": "ok"}


def test_one_patient_on_two_days_is_two_scans(context):
    put(context, "a", phantom(0), patient="p", facts={"day": 0})
    put(context, "b", cropped(phantom(0)), patient="p", facts={"day": 90})
    stage.run(context, CONFIG)
    assert set(status(context).values()) == {"ok"}


def test_a_visit_soon_after_stays_where_a_stranger_so_alike_would_not(context, monkeypatch):
    """One patient's scans need the stricter proof, for they may be two visits."""
    proved = {"kind": "transformed", "votes": 9, "ncc": 0.99, "detail_ncc": 0.83}
    monkeypatch.setattr(joining, "prove", lambda payload: proved)
    put(context, "a", phantom(0), patient="p")
    put(context, "b", cropped(phantom(0)), patient="p")
    stage.run(context, CONFIG)
    assert set(status(context).values()) == {"ok"}
    put(context, "c", cropped(cropped(phantom(0))), patient="q")
    stage.run(context, CONFIG)
    assert "duplicate" in status(context).values()


def test_the_cohort_bounds_the_checks_and_stored_hashes_are_used(context):
    put(context, "a", phantom(0))
    mark = fingerprint(phantom(0)).as_dict()
    put(context, "z", phantom(0), fingerprint=mark)
    result = stage.run(replace(context, cohort=frozenset({"a"})), CONFIG)
    assert result.counts["checked"] == 1
    assert status(context) == {"a": "ok", "z": "duplicate"}


def test_leaks_become_decisions_without_values(context):
    put(context, "a", phantom(0))
    report = Report("r1", "a", "p_a", "a", "The quimby view is limited.")
    with context.catalog.write() as writer:
        writer.add(report)
    known = {"a": Identifiers(names=("Quimby^Fred",))}
    assert stage.run(context, CONFIG).counts["leaks"] == 0
    assert stage.run(context, CONFIG, known=known).counts["leaks"] == 1
    (said,) = context.catalog.rows(Decision, verdict="leak")
    assert said.evidence == {"report r1: NAME": 1}
    assert "quimby" not in str(said).lower()


def test_pairs_are_kept_and_only_new_scans_are_compared(context, monkeypatch):
    put(context, "a", phantom(0))
    put(context, "b", cropped(phantom(0)))
    stage.run(context, CONFIG)
    assert [(p.first, p.second, p.kind) for p in context.catalog.rows(ScanPair)] == [
        ("a", "b", "transformed")
    ]
    seen = []

    def spied(codes, config, *, known):
        seen.append((sorted(set(codes) - known), sorted(known)))
        return suspects(codes, config, known=known)

    monkeypatch.setattr(joining, "suspects", spied)
    put(context, "c", cropped(cropped(phantom(0))))
    put(context, "d", phantom(1))
    stage.run(context, CONFIG)
    assert seen == [(["c", "d"], ["a", "b"])]
    assert status(context) == {"a": "ok", "b": "duplicate", "c": "duplicate", "d": "ok"}
    stage.run(context, CONFIG)
    assert len(seen) == 1


def test_fingerprints_are_read_only_where_a_scan_is_new(context, monkeypatch):
    put(context, "a", phantom(0))
    put(context, "b", cropped(phantom(0)))
    stage.run(context, CONFIG)
    marks = hash_marks(context.catalog)
    assert [mark.version for mark in marks.values()] == [HASH_VERSION] * 2
    assert len({mark.compared for mark in marks.values()} - {""}) == 1
    monkeypatch.setattr(joining, "stored_fingerprints", None)
    stage.run(context, CONFIG)
    put(context, "c", phantom(1))
    with pytest.raises(TypeError):
        stage.run(context, CONFIG)


def test_a_mirrored_copy_stays_and_is_linked(context):
    one = phantom(0)
    put(context, "a", one)
    put(context, "b", one.with_array(one.array[::-1]))
    counts = stage.run(context, CONFIG).counts
    assert set(status(context).values()) == {"ok"}
    assert counts["mirrored_pairs"] == 1


def test_parts_can_be_run_alone(context):
    put(context, "a", phantom(0).with_array(phantom(0).array + 1024))
    put(context, "b", phantom(1))
    put(context, "c", cropped(phantom(1)))
    assert set(stage.run(context, CONFIG, only=["leaks"]).counts) == {"changed", "leaks"}
    assert set(status(context).values()) == {"ok"}
    stage.run(context, CONFIG, only=["check"])
    assert status(context) == {"a": "rejected", "b": "ok", "c": "ok"}
    stage.run(context, CONFIG, only=["duplicates"])
    assert status(context) == {"a": "rejected", "b": "ok", "c": "duplicate"}
    stage.run(context, CONFIG, only=["check"])
    assert status(context)["c"] == "duplicate"
    with pytest.raises(ConfigError, match="want parts"):
        stage.run(context, CONFIG, only=["everything"])


def test_labels_of_a_copy_become_candidates_of_the_scan_that_stays(context):
    whole = phantom(0)
    part = cropped(whole)
    put(context, "a", whole)
    put(context, "b", part)
    liver = np.zeros(part.shape, bool)
    liver[20:40, 15:30, 10:25] = True
    with context.catalog.write() as writer:
        for class_id in ("kidney_left", "spleen"):
            writer.add(a_label(label_id=class_id, case_id="a", class_id=class_id))
        label = adopt_mask(
            writer,
            context.workspace,
            write_mask(context.workspace.scratch, "b_liver", liver, part.affine),
            case_id="b",
            class_id="liver",
            origin="original",
            round_number=0,
        )
        writer.point(Assembly(0, "b", "liver", label.label_id, "original"))
    assert stage.run(context, CONFIG).counts["carried_labels"] == 1
    assert status(context)["b"] == "duplicate"
    (carried,) = context.catalog.rows(Label, case_id="a", class_id="liver")
    assert (carried.origin, carried.parent) == ("original", label.label_id)
    assert carried.facts["from_copy"] == "b"
    mask = read_mask(context.workspace.root, carried.path, whole.shape)
    truth = np.zeros(whole.shape, bool)
    truth[22:42, 17:32, 11:26] = True
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.97
    known = read_mask(context.workspace.root, carried.known_path, whole.shape)
    assert not known[:, :, -1].any()
    assert known[truth].all()
    assert ("a", "liver") not in context.catalog.current()
    assert stage.run(replace(context, round=2), CONFIG).counts["changed"] == 0
    assert context.catalog.count(Label, case_id="a", class_id="liver") == 1


def test_a_test_scan_inherits_nothing(context):
    put(context, "a", phantom(0), split="test")
    put(context, "b", phantom(0), split="train")
    with context.catalog.write() as writer:
        writer.add(a_label(case_id="b"))
        writer.point(Assembly(0, "b", "liver", "l1", "original"))
    assert stage.run(context, CONFIG).counts["carried_labels"] == 0
    assert context.catalog.count(Label, case_id="a") == 0
