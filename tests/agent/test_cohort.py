"""The synthetic cohort as a whole: what is on disk agrees with the truth beside it."""

import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import yaml

from agent.cohort import generate_cohort
from agent.cohort.label_errors import dsc
from agent.cohort.layouts import DATASETS
from agent.cohort.plan import SOURCES
from tests.agent.cohort_fixture import (
    PATIENTS,
    SEED,
    drawn_mask,
    read_truth,
    shared_cohort,
    true_masks,
)
from voxcurate.config import build
from voxcurate.errors import ConfigError
from voxcurate.sources import SourceConfig


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cohort(tmp_path_factory)


def _tree(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
def test_same_seed_gives_the_same_bytes_and_another_seed_others(
    cohort: Path, tmp_path: Path
) -> None:
    generate_cohort(tmp_path / "again", patients=PATIENTS, seed=SEED)
    generate_cohort(tmp_path / "other", patients=PATIENTS, seed=SEED + 1)
    assert _tree(tmp_path / "again") == _tree(cohort)
    assert _tree(tmp_path / "other") != _tree(cohort)


def test_every_source_is_described_as_the_foundation_wants_it(cohort: Path) -> None:
    for name in SOURCES:
        data = yaml.safe_load((cohort / "cohort" / name / "dataset.yaml").read_text())
        config = build(SourceConfig, data)
        assert config.name == name
        assert config.model_dump() == build(SourceConfig, DATASETS[name]).model_dump()


def test_nothing_the_pipeline_reads_names_the_truth(cohort: Path) -> None:
    for path in (cohort / "cohort").rglob("*"):
        if path.suffix in {".yaml", ".csv", ".txt"}:
            text = path.read_text()
            assert "truth" not in text
            assert "duplicate" not in text


def test_images_and_true_masks_share_grid_and_place(cohort: Path) -> None:
    for entry in read_truth(cohort)["scans"]:
        if entry["source"] == "northclinic" or entry["corruption"]:
            continue
        image = nib.load(cohort / "cohort" / entry["source"] / entry["key"])
        masks, affine = true_masks(cohort, entry)
        assert image.shape == masks["liver"].shape == tuple(entry["shape"])
        np.testing.assert_allclose(image.affine, affine, atol=1e-3)
        hu = np.asarray(image.dataobj)
        inner = hu[masks["liver"]]
        assert 10 < np.median(inner) < 150  # steatosis to portal venous
        assert np.median(hu[masks["aorta"]]) > 20


def test_a_dicom_series_read_by_others_lies_where_its_masks_lie(cohort: Path) -> None:
    import SimpleITK

    entry = next(
        s
        for s in read_truth(cohort)["scans"]
        if s["source"] == "northclinic" and not s["corruption"]
    )
    files = [
        path
        for path in (cohort / "cohort" / "northclinic" / "dicom").rglob("*.dcm")
        if pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID == entry["key"]
    ]
    folder = files[0].parent
    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), entry["key"])
    image = SimpleITK.ReadImage(names)
    masks, affine = true_masks(cohort, entry)
    index = np.argwhere(masks["liver"]).mean(0)
    ras = (affine @ [*index, 1])[:3]
    lps = np.array(image.TransformContinuousIndexToPhysicalPoint([float(v) for v in index]))
    np.testing.assert_allclose(lps * (-1, -1, 1), ras, atol=1e-2)
    hu = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
    assert 10 < np.median(hu[masks["liver"]]) < 150


def test_sides_are_right_in_world_coordinates(cohort: Path) -> None:
    """RAS+: x grows towards the patient's right."""
    for entry in read_truth(cohort)["scans"]:
        if entry["corruption"] == "wrong_spacing":
            continue
        masks, affine = true_masks(cohort, entry)

        def x(
            name: str, masks: dict[str, np.ndarray] = masks, affine: np.ndarray = affine
        ) -> float:
            return float((affine @ [*np.argwhere(masks[name]).mean(0), 1])[0])

        for right, left in (("liver", "stomach"), ("kidney_right", "kidney_left")):
            if masks[right].any() and masks[left].any():
                assert x(right) > x(left) + 50
        assert x("postcava") > x("aorta")


def test_the_recorded_dsc_of_every_label_is_that_of_the_files(cohort: Path) -> None:
    n_errors = 0
    for entry in read_truth(cohort)["scans"]:
        masks, _ = true_masks(cohort, entry)
        for name, label in entry["labels"].items():
            score = dsc(drawn_mask(cohort, entry, name), masks[name])
            assert score == pytest.approx(label["dsc"], abs=1e-4)
            n_errors += bool(label["error"])
            if label["error"]:
                assert score < 0.9
            elif masks[name].sum() > 300:
                assert score > 0.9
    assert n_errors == len(read_truth(cohort)["label_errors"])


def test_about_an_eighth_of_the_labels_of_good_scans_are_wrong(cohort: Path) -> None:
    good = [s for s in read_truth(cohort)["scans"] if not s["corruption"] and not s["copy_kind"]]
    n_labels = sum(len(s["labels"]) for s in good)
    n_errors = sum(bool(x["error"]) for s in good for x in s["labels"].values())
    assert 0.09 < n_errors / n_labels < 0.16


def test_six_kinds_of_damage_and_three_of_copies_even_in_a_small_cohort(cohort: Path) -> None:
    scans = read_truth(cohort)["scans"]
    assert len({s["corruption"] for s in scans} - {""}) >= 6
    assert len({s["copy_kind"] for s in scans} - {""}) >= 3


def test_exact_copies_have_equal_bytes_and_others_do_not(cohort: Path) -> None:
    truth = read_truth(cohort)
    sha = {(s["source"], s["key"]): s["file_sha256"] for s in truth["scans"]}
    for pair in truth["duplicates"]:
        same = sha[tuple(pair["first"])] == sha[tuple(pair["second"])]
        assert same == pair["kind"].startswith("exact")


def test_a_copy_shows_the_same_anatomy_at_the_same_place(cohort: Path) -> None:
    truth = read_truth(cohort)
    entries = {(s["source"], s["key"]): s for s in truth["scans"]}
    for pair in truth["duplicates"]:
        centers = []
        for side in ("first", "second"):
            masks, affine = true_masks(cohort, entries[tuple(pair[side])])
            centers.append(affine @ [*np.argwhere(masks["pancreas"]).mean(0), 1])
        np.testing.assert_allclose(centers[0], centers[1], atol=1.5)


def test_reports_hold_the_identifiers_that_the_truth_lists(cohort: Path) -> None:
    truth = read_truth(cohort)
    table = (cohort / "cohort" / "northclinic" / "reports.csv").read_text()
    names = [p["text"] for p in truth["phi"] if p["kind"] == "name"]
    assert sum(name in table or name.upper() in table for name in names) >= 3


def test_a_patient_with_two_scans_is_one_patient(cohort: Path) -> None:
    truth = read_truth(cohort)
    visits: dict[int, set[int]] = {}
    for scan in truth["scans"]:
        visits.setdefault(scan["person"], set()).add(scan["visit"])
    assert max(map(len, visits.values())) >= 2


@pytest.mark.parametrize(("patients", "seed"), [(3, 0), (8, -1)])
def test_a_cohort_out_of_bounds_is_refused(tmp_path: Path, patients: int, seed: int) -> None:
    with pytest.raises(ConfigError, match=r"patients|seed"):
        generate_cohort(tmp_path, patients=patients, seed=seed)


def test_a_folder_in_use_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(ConfigError, match="empty folder"):
        generate_cohort(tmp_path, patients=4, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]


def test_truth_is_plain_json(cohort: Path) -> None:
    text = (cohort / "truth" / "truth.json").read_text()
    assert json.loads(text)["version"] == 1
    assert "NaN" not in text
