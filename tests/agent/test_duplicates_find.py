"""``voxcurate duplicates find``: files in, groups out, nothing that names a patient."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from tests.cleaning.duplicates.guises import COPIES, mirrored, patient
from voxcurate.nifti import write_nifti

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("scans")
    write_nifti(place / "DOE_JANE_1.nii.gz", patient())
    write_nifti(place / "DOE_JANE_2.nii.gz", COPIES["cropped"](patient()))
    write_nifti(place / "DOE_JANE_3.nii.gz", patient(2))
    write_nifti(place / "DOE_JANE_4.nii.gz", mirrored(patient(2)))
    (place / "DOE_JANE_5.nii.gz").write_bytes(b"rubbish")
    return place


def run(*words):
    return CliRunner().invoke(app, ["duplicates", "find", *(str(w) for w in words)])


def test_groups_links_failures_and_pictures(folder, tmp_path):
    result = run(folder, "--json", "--workers", 1, "--pictures", tmp_path / "pictures")
    assert result.exit_code == 1  # one cannot be read
    assert "DOE" not in result.output
    found = json.loads(result.stdout)
    name = [f"{folder}#{n}" for n in range(1, 6)]
    assert [scan["id"] for scan in found["scans"]] == name
    (group,) = found["groups"]
    assert group["members"] == name[:2]
    (gone,) = group["dropped"]
    assert (gone["id"], gone["keeper"], gone["kind"]) == (name[1], name[0], "transformed")
    assert np.allclose(np.array(gone["to_keeper"])[:, :3], np.eye(3), atol=1e-3)
    assert np.abs(np.array(gone["to_keeper"])[:, 3]).max() < 2
    kinds = {(p["first"], p["second"]): p["kind"] for p in found["pairs"]}
    assert kinds == {(name[0], name[1]): "transformed", (name[2], name[3]): "mirrored"}
    assert all(pair["proved"] for pair in found["pairs"])
    pictures = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert pictures == sorted(pair["picture"] for pair in found["pairs"])
    assert (tmp_path / "pictures" / pictures[0]).read_bytes()[:4] == b"\x89PNG"
    assert [one["id"] for one in found["failed"]] == [name[4]]


def test_new_scans_against_stored_ones(folder, tmp_path):
    index = tmp_path / "index.gz"
    first = run(folder / "DOE_JANE_1.nii.gz", "--save", index, "--name", "old", "--workers", 1)
    assert first.exit_code == 0
    again = run(
        folder / "DOE_JANE_2.nii.gz", "--against", index, "--save", index, "--name", "new",
        "--json", "--workers", 1,
    )  # fmt: skip
    assert again.exit_code == 0
    (group,) = json.loads(again.stdout)["groups"]
    assert group["members"] == ["new#1", "old#1"]
    twice = run(folder / "DOE_JANE_2.nii.gz", "--against", index, "--name", "new")
    assert twice.exit_code == 2
    assert "want another --name" in twice.output


def test_bad_calls_are_exit_2(tmp_path):
    assert run(tmp_path / "none").exit_code == 2
    assert run(tmp_path).exit_code == 2
    (tmp_path / "x.gz").write_bytes(b"no index")
    result = run(tmp_path, "--against", tmp_path / "x.gz")
    assert result.exit_code == 2
    assert "index" in result.output
    assert run(tmp_path, "--set", "radius_bits=900").exit_code == 2


def test_plain_text_says_who_stays(folder):
    result = run(folder / "DOE_JANE_1.nii.gz", folder / "DOE_JANE_2.nii.gz", "--workers", 1)
    assert result.exit_code == 0
    assert "1 groups of copies, 1 of them may go" in result.stdout
