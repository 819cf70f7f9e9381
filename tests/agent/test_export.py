"""The export: layout, tables, hashes, refusals, all or nothing."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from agent.export import LEAK, drawing_order, export
from tests.agent.curated import fill, phantoms
from voxcurate.catalog import Decision, Label, Scan
from voxcurate.classes import ClassInfo, Vocabulary
from voxcurate.errors import ConfigError, CurationError
from voxcurate.ids import file_sha256
from voxcurate.labels import mask_sha256
from voxcurate.nifti import read_nifti

N = 10


@pytest.fixture
def ctx(tmp_path):
    return fill(tmp_path / "workspace", phantoms(N))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "release"


def table(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def leak(ctx, case_id, verdict="leak"):
    with ctx.catalog.write() as writer:
        writer.decide(Decision("", 1, "clean", case_id, "", "", verdict, "header: name", "scan"))


def test_every_voxel_file_has_the_hash_of_the_catalog(ctx, out):
    result = export(ctx, out)
    assert not result.failed
    pointers = ctx.catalog.current()
    labels = {x.label_id: x for x in ctx.catalog.rows(Label)}
    scans = {s.case_id: s for s in ctx.scans()}
    assert {p.name for p in out.iterdir() if p.is_dir()} == set(scans)
    seen = 0
    for path in sorted(out.glob("*/segmentations/*.nii.gz")):
        case, class_id = path.parts[-3], path.name.removesuffix(".nii.gz")
        mask = read_nifti(path)
        assert mask.array.dtype == np.uint8
        assert mask_sha256(mask.array) == labels[pointers[case, class_id].label_id].sha256
        np.testing.assert_allclose(mask.affine, scans[case].affine, atol=1e-5)
        seen += 1
    assert seen == sum(1 for case, _ in pointers if case in scans) == result.counts["labels"]
    for case, scan in scans.items():
        assert file_sha256(out / case / "ct.nii.gz") == scan.sha256


def test_an_absent_structure_is_an_empty_mask_and_an_unknown_one_no_file(ctx, out):
    export(ctx, out)
    rows = {(r["case_id"], r["class_id"]): r for r in table(out / "labels.csv")}
    absent = [key for key, r in rows.items() if r["state"] == "absent"]
    assert absent == [("beta_0002", "spleen")]
    assert not read_nifti(out / "beta_0002" / "segmentations" / "spleen.nii.gz").array.any()
    on_disk = {(p.parts[-3], p.name[:-7]) for p in out.glob("*/segmentations/*.nii.gz")}
    assert on_disk == set(rows)


def test_tables_say_who_drew_what_and_why(ctx, out):
    export(ctx, out)
    rows = table(out / "labels.csv")
    revised = next(r for r in rows if r["origin"] == "revised")
    assert revised["actor"] == "reader one"
    assert "redrawn at the hilum" in revised["reason_chain"]
    assert revised["lineage"].split(" < ")[1].startswith("pseudo:")
    assert {r["actor"] for r in rows if r["origin"] == "original"} == {"source"}
    assert {r["actor"] for r in rows if r["origin"] == "pseudo"} == {"model zoo1"}
    decisions = table(out / "decisions.csv")
    assert {r["case_id"] for r in decisions} <= {s.case_id for s in ctx.scans()}
    assert json.loads(next(r for r in decisions if r["stage"] == "judge")["evidence"])["margin"]


def test_cases_are_described_without_what_identifies(ctx, out):
    export(ctx, out)
    rows = {r["case_id"]: r for r in table(out / "cases.csv")}
    assert rows["beta_0000"]["facts_age"] == "90+"
    assert rows["alpha_0001"]["facts_age"] == "41"
    assert not any("nested" in name for name in rows["beta_0000"])
    licences = (out / "LICENSES.txt").read_text()
    assert "CC BY 4.0\n  alpha: 3 scans\nunknown\n  beta: 5 scans" in licences
    assert "Some licences are unknown" in licences
    assert "zoo1 (SegResNet): Apache-2.0" in licences
    text = "".join(p.read_text() for p in out.iterdir() if p.is_file())
    assert str(ctx.workspace.root) not in text


def test_a_case_that_failed_the_leak_scan_is_refused(ctx, out):
    leak(ctx, "alpha_0003")
    leak(ctx, "beta_0004", "doubtful")
    result = export(ctx, out)
    assert result.failed == {"alpha_0003": LEAK}
    assert not (out / "alpha_0003").exists()
    assert (out / "beta_0004").exists()
    for name in ("cases.csv", "labels.csv", "decisions.csv"):
        assert "alpha_0003" not in (out / name).read_text()
    assert json.loads((out / "dataset.json").read_text())["refused"] == {"alpha_0003": LEAK}


@pytest.mark.parametrize("what", ["ct", "mask", "gone"])
def test_a_file_that_differs_from_the_catalog_is_left_out(ctx, out, what):
    pointers = ctx.catalog.current(case_id="beta_0002")
    labels = ctx.catalog.rows(Label, label_id=[p.label_id for p in pointers.values()])
    mine = next(x for x in labels if x.path)
    others = [x for x in ctx.catalog.rows(Label) if x.path and x.sha256 != mine.sha256]
    mask = ctx.workspace.root / mine.path
    if what == "ct":
        with ctx.workspace.scan_path("beta_0002").open("ab") as stream:
            stream.write(b"x")
    elif what == "mask":
        mask.write_bytes((ctx.workspace.root / others[0].path).read_bytes())
    else:
        mask.unlink()
    result = export(ctx, out)
    assert list(result.failed) == ["beta_0002"]
    assert not (out / "beta_0002").exists()
    assert "beta_0002" not in (out / "cases.csv").read_text()


def test_splits_and_classes_choose(ctx, out):
    export(ctx, out, splits=["test"], classes=["liver"])
    assert {r["split"] for r in table(out / "cases.csv")} == {"test"}
    assert {r["class_id"] for r in table(out / "labels.csv")} == {"liver"}
    assert [c["id"] for c in json.loads((out / "dataset.json").read_text())["classes"]] == ["liver"]


def test_rejected_scans_and_duplicates_stay_behind(ctx, out):
    export(ctx, out)
    left = {s.case_id for s in ctx.catalog.rows(Scan, status=("rejected", "duplicate"))}
    assert len(left) == 2
    assert not left & {p.name for p in out.iterdir()}


def test_links_share_the_file_and_copies_do_not(ctx, tmp_path):
    export(ctx, tmp_path / "linked", link=True)
    export(ctx, tmp_path / "copied")
    source = ctx.workspace.scan_path("beta_0000")
    assert source.samefile(tmp_path / "linked" / "beta_0000" / "ct.nii.gz")
    assert not source.samefile(tmp_path / "copied" / "beta_0000" / "ct.nii.gz")


def test_the_combined_map_holds_every_class_at_its_value(ctx, out):
    export(ctx, out, combined=True)
    description = json.loads((out / "dataset.json").read_text())
    values = {c["id"]: c["value"] for c in description["classes"]}
    merged = read_nifti(out / "beta_0000" / "combined_labels.nii.gz").array
    drawn = {
        p.name[:-7]: read_nifti(p).array.astype(bool)
        for p in (out / "beta_0000" / "segmentations").iterdir()
    }
    for class_id, mask in drawn.items():
        others = [m for c, m in drawn.items() if c != class_id]
        alone = mask & ~np.any(others, axis=0)
        assert set(np.unique(merged[alone])) == {values[class_id]}
    assert not merged[~np.any(list(drawn.values()), axis=0)].any()


def test_inner_classes_are_drawn_over_their_containers():
    vocabulary = Vocabulary(
        [
            ClassInfo(id="cyst", inside="tumor"),
            ClassInfo(id="tumor", inside="organ"),
            ClassInfo(id="organ"),
        ]
    )
    assert drawing_order(vocabulary, ["cyst", "organ", "tumor"]) == ["organ", "tumor", "cyst"]


def test_nothing_is_overwritten_and_nothing_is_left_half_done(ctx, out):
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(CurationError, match="new or empty folder"):
        export(ctx, out)
    assert [p.name for p in out.iterdir()] == ["mine.txt"]


def test_an_export_that_fails_leaves_no_folder(ctx, out, monkeypatch):
    import agent.export

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(agent.export, "write_tables", fail)
    with pytest.raises(OSError, match="disk full"):
        export(ctx, out)
    assert sorted(p.name for p in out.parent.iterdir()) == ["workspace"]


def test_wrong_choices_are_named(ctx, out):
    with pytest.raises(ConfigError, match="found dev"):
        export(ctx, out, splits=["dev"])
    with pytest.raises(ConfigError, match="no class 'lever'"):
        export(ctx, out, classes=["lever"])
    for scan in ctx.scans():
        leak(ctx, scan.case_id)
    with pytest.raises(CurationError, match="nothing to export"):
        export(ctx, out)
    assert not out.exists()


def test_twice_gives_the_same_bytes(ctx, tmp_path):
    for name in ("one", "two"):
        export(ctx, tmp_path / name)
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))
    assert files
    for path in files:
        if (tmp_path / "one" / path).is_file():
            assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


def test_known_regions_go_along(ctx, out):
    pointer = ctx.catalog.current(case_id="beta_0000", class_id="liver")["beta_0000", "liver"]
    label = ctx.catalog.one(Label, label_id=pointer.label_id)
    from agent.export import CaseFiles, copy_case

    scan = ctx.catalog.one(Scan, case_id="beta_0000")
    partial = replace(label, known_path=label.path)
    files = CaseFiles(scan, {"liver": partial}, {}, str(ctx.workspace.root), str(out), False)
    assert copy_case(files) == 2
    assert file_sha256(out / "known" / "liver.nii.gz") == file_sha256(
        ctx.workspace.root / label.path
    )


def test_a_retired_label_is_not_released(ctx, out):
    (case, class_id), pointer = next(iter(ctx.catalog.current().items()))
    decision = Decision("", 1, "review", case, class_id, pointer.label_id, "retire", "", "human:a")
    with ctx.catalog.write() as writer:
        writer.flag(pointer.label_id, decision, retired=True)
    assert not export(ctx, out).failed
    assert not (out / case / "segmentations" / f"{class_id}.nii.gz").exists()
    assert pointer.label_id not in {row["label_id"] for row in table(out / "labels.csv")}
