"""The stage on a small workspace: who leaves, why, and that nothing is done twice."""

from dataclasses import replace

import numpy as np
import pytest

from cleaning import stage
from cleaning.config import CleaningConfig
from cleaning.duplicates.hashing import fingerprint
from tests.cleaning.phantom import phantom
from tests.voxcurate.factories import a_label, a_scan
from voxcurate.catalog import Catalog, Decision, Report, Scan
from voxcurate.classes import load_vocabulary
from voxcurate.executor import ExecutorConfig
from voxcurate.identifiers import Identifiers
from voxcurate.ids import file_sha256
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
    assert said["copy"].evidence["fine_detail_ncc"] > 0.9
    assert said["shifted"].verdict == "reject"
    assert said["shifted"].evidence["offset_hu"] == pytest.approx(1024, abs=80)


def test_a_second_run_changes_and_computes_nothing(context, monkeypatch):
    put(context, "a", phantom(0))
    put(context, "b", cropped(phantom(0)))
    stage.run(context, CONFIG)
    before = context.catalog.rows(Scan), context.catalog.rows(Decision)
    monkeypatch.setattr(stage, "examine", None)
    monkeypatch.setattr(stage, "prove", None)
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
    monkeypatch.setattr(stage, "prove", lambda payload: {"fine_detail_ncc": 0.92})
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
    report = Report("r1", "a", "p_a", "a", "Signed, seen by the Quimby team.")
    with context.catalog.write() as writer:
        writer.add(report)
    known = {"a": Identifiers(names=("Quimby^Fred",))}
    assert stage.run(context, CONFIG).counts["leaks"] == 0
    assert stage.run(context, CONFIG, known=known).counts["leaks"] == 1
    (said,) = context.catalog.rows(Decision, verdict="leak")
    assert said.evidence == {"report r1: NAME": 1}
    assert "quimby" not in str(said).lower()
