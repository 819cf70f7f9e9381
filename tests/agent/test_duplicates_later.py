"""Copies that come in a later ingest than their original, from the command line."""

import json
from dataclasses import replace

import numpy as np
from typer.testing import CliRunner

from agent.cli.main import app
from tests.agent.ingest_fixture import describe, write
from tests.cleaning.duplicates.guises import cropped
from tests.cleaning.phantom import phantom
from voxcurate.catalog import Catalog, Model, Scan
from voxcurate.workspace import Workspace

SOURCE = """
name: {name}
scans: "{{case}}/ct.nii.gz"
masks:
  - path: "{{case}}/{{class}}.nii.gz"
"""


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def told(*words):
    result = call(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def add(folder, volume, liver=None):
    write(folder / "ct.nii.gz", volume.array, volume.affine)
    if liver is not None:
        write(folder / "liver.nii.gz", liver, volume.affine)


def drawn(volume):
    mask = np.zeros(volume.shape, bool)
    mask[20:35, 18:30, 15:25] = True
    return mask


def scans(root):
    catalog = Catalog(Workspace.find(root).catalog_url)
    try:
        return {scan.case_id: scan for scan in catalog.rows(Scan)}
    finally:
        catalog.close()


def test_a_copy_that_comes_later(tmp_path, monkeypatch):
    """It joins its group and gets its split. And where ingest did not know of it (an older catalog,
    a copy that thumbnails do not show), clean finds it, moves nothing, and tells who trained."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    first = describe(tmp_path / "first", SOURCE.format(name="first"))
    for seed in range(2):
        add(first / f"p{seed}", phantom(seed), drawn(phantom(seed)))
    again = describe(tmp_path / "again", SOURCE.format(name="again"))
    part = cropped(phantom(0), (4, 3, 6), (3, 2, 2))
    add(again / "x", part, drawn(part))
    root = tmp_path / "w"
    assert call("init", root).exit_code == 0
    assert call("ingest", first, "-w", root).exit_code == 0
    before = scans(root)
    assert call("ingest", again, "-w", root).exit_code == 0
    now = scans(root)
    assert {case: now[case].split for case in before} == {c: s.split for c, s in before.items()}
    (late,) = [scan for case, scan in now.items() if case not in before]
    (original,) = [s for s in before.values() if s.duplicate_group == late.duplicate_group]
    assert late.split == original.split
    counts = told("clean", "--only", "duplicates", "-w", root)["counts"]
    assert (counts["duplicates"], counts["families_across_splits"]) == (1, 0)
    found = told("duplicates", "list", "-w", root)
    assert [len(family["members"]) for family in found["families"]] == [2]
    assert found["across_splits"] == found["linked_across_splits"] == []

    catalog = Catalog(Workspace.find(root).catalog_url)
    with catalog.write() as writer:
        for case, split in ((original.case_id, "train"), (late.case_id, "test")):
            (scan,) = writer.rows(Scan, case_id=case)
            writer.put(replace(scan, split=split, duplicate_group=case))
        writer.put(Model("m1", 1, "net", "", "", "", ["liver"], [original.case_id]))
    catalog.close()
    counts = told("clean", "--only", "duplicates", "-w", root)["counts"]
    assert (counts["families_across_splits"], counts["models_that_saw_a_copy"]) == (1, 1)
    now = scans(root)
    assert (now[original.case_id].split, now[late.case_id].split) == ("train", "test")
    assert (now[original.case_id].status, now[late.case_id].status) == ("duplicate", "ok")
    assert "test and train" in now[original.case_id].status_reason
    assert "trained on one of them: m1" in now[original.case_id].status_reason
    (leak,) = told("duplicates", "list", "-w", root)["across_splits"]
    assert leak["members"] == sorted([original.case_id, late.case_id])
    assert (leak["splits"], leak["models"]) == (["test", "train"], ["m1"])
    assert "trained on one of them: m1" in call("duplicates", "list", "-w", root).stdout
