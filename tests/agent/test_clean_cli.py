"""Cleaning from the command line, on a small workspace."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from tests.agent.ingest_fixture import describe, write
from tests.cleaning.phantom import phantom

TEXT = 'name: heap\nscans: "{case}/ct.nii.gz"\n'


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Two patients, a cropped copy of one, and a scan with an offset."""
    base = tmp_path_factory.mktemp("clean")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(base / "config"))
        root = describe(base / "heap", TEXT)
        one, other = phantom(0), phantom(1)
        write(root / "a" / "ct.nii.gz", one.array, one.affine)
        write(root / "b" / "ct.nii.gz", one.array[2:-2, 2:-3, 1:-2], one.affine)
        write(root / "c" / "ct.nii.gz", other.array, other.affine)
        write(root / "d" / "ct.nii.gz", (phantom(2).array + 1024).astype(np.int16), one.affine)
        assert call("init", base / "w").exit_code == 0
        assert call("ingest", root, "-w", base / "w").exit_code == 0
        cleaned = call("clean", "-w", base / "w", "--json")
        assert cleaned.exit_code == 0, cleaned.output
        yield base / "w"


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def told(*words):
    result = call(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_rejected_and_double_scans_are_listed_with_their_reasons(workspace):
    rows = told("checks", "list", "-w", workspace)
    found = [row["status"] for row in rows]
    assert (found[0], found[-1], "ok" in found) == ("rejected", "duplicate", False)
    assert "hu_offset" in rows[0]["status_reason"]
    assert len(told("checks", "list", "--status", "all", "-w", workspace)) == 4
    plain = call("checks", "list", "-w", workspace).stdout
    assert rows[0]["case_id"] in plain
    assert "hu_offset" in plain


def test_a_check_is_shown_with_its_picture(workspace, tmp_path):
    (bad,) = told("checks", "list", "--status", "rejected", "-w", workspace)
    picture = tmp_path / "bad.png"
    shown = told("checks", "show", bad["case_id"], "--picture", picture, "-w", workspace)
    assert shown["verdict"] == "reject"
    assert shown["reasons"][0]["code"] == "hu_offset"
    assert shown["measured"]["offset_hu"] == pytest.approx(1024, abs=80)
    assert [d["verdict"] for d in shown["decisions"]] == ["reject"]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_families_are_listed_and_shown(workspace, tmp_path):
    found = told("duplicates", "list", "-w", workspace)
    ((family, pair),) = [(f["members"], f["pairs"][0]) for f in found["families"]]
    assert sorted(m["status"] for m in family) == ["duplicate", "ok"]
    (gone,) = [m for m in family if m["status"] == "duplicate"]
    assert gone["copy_of"] in {m["case_id"] for m in family}
    assert pair["kind"] == "transformed"
    shown = told("duplicates", "show", gone["case_id"], "--pictures", tmp_path, "-w", workspace)
    assert shown["pairs"] == [pair]
    assert len(list(tmp_path.glob("*.png"))) == 1
    assert "family 1" in call("duplicates", "list", "-w", workspace).stdout


@pytest.mark.parametrize(
    "words",
    [
        ("checks", "show", "nobody"),
        ("duplicates", "show", "nobody"),
        ("checks", "list", "--status", "good"),
        ("clean", "--only", "everything"),
        ("clean", "--set", "cleaning.check.no_such_limit=1"),
    ],
)
def test_wrong_calls_end_with_status_two(workspace, words):
    result = call(*words, "-w", workspace)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")


def test_cleaning_again_changes_nothing_and_a_part_can_be_run_alone(workspace):
    again = told("clean", "--only", "check", "--only", "duplicates", "-w", workspace)
    assert again["counts"]["changed"] == 0
    assert "leaks" not in again["counts"]
