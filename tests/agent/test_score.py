"""The scorer: statistics on paper, and workspaces whose score is known."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.score import ScoreRow, ScoreTable, score_demo
from agent.score.privacy import find_strings
from agent.score.statistics import auroc, dsc, hits, spearman
from agent.score.table import gather
from tests.agent.cohort_fixture import fabricate, read_truth, shared_cohort
from voxcurate.errors import WorkspaceError


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cohort(tmp_path_factory)


@pytest.fixture(scope="module")
def perfect(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> ScoreTable:
    root = fabricate(
        cohort,
        tmp_path_factory.mktemp("perfect") / "ws",
        ingest=lambda entry: entry["corruption"] not in ("empty_file", "truncated_file"),
        perfect=True,
    )
    return score_demo(root, cohort / "truth")


# --- statistics ---


def test_auroc_on_paper() -> None:
    assert auroc([0.9, 0.8, 0.3, 0.2], [True, False, True, False]) == pytest.approx(0.75)
    assert auroc([0.5, 0.5], [True, False]) == 0.5
    assert np.isnan(auroc([0.1, 0.2], [True, True]))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=20))
def test_auroc_is_the_share_of_pairs_in_order(items: list[tuple[int, bool]]) -> None:
    scores, truth = zip(*items, strict=True)
    pairs = [
        (a > b) + 0.5 * (a == b)
        for a, positive in items
        for b, other in items
        if positive and not other
    ]
    if pairs:
        assert auroc(scores, truth) == pytest.approx(np.mean(pairs))


def test_hits_and_their_corners() -> None:
    found = hits({1, 2, 3}, {2, 3, 4, 5})
    assert (found.precision, found.recall) == (2 / 3, 0.5)
    assert np.isnan(hits(set(), {1}).precision)
    assert np.isnan(hits({1}, set()).recall)


def test_spearman_knows_order_only() -> None:
    assert spearman([1, 2, 3, 4], [10, 20, 40, 900]) == pytest.approx(1)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert np.isnan(spearman([1, 1, 1], [1, 2, 3]))
    assert np.isnan(spearman([1, 2], [1, 2]))


def test_dsc_on_paper() -> None:
    first, second = np.zeros((2, 5, 4), bool), np.zeros((2, 5, 4), bool)
    first[0, :2, 0] = second[0, 1:4, 0] = True
    assert dsc(first, second) == pytest.approx(2 / 5)
    assert dsc(first & ~first, second & ~second) == 1


# --- identifiers ---


def test_strings_are_found_in_text_names_and_unpacked_headers_but_not_in_skipped_folders(
    tmp_path: Path,
) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "map.txt").write_text("Quillhurst")
    assert find_strings(tmp_path, ["Quillhurst"], skip=("private",)) == {}
    (tmp_path / "QUILLHURST.csv").write_text("")
    (tmp_path / "a.sqlite").write_bytes(b"\0\1name12345678\0quillHURST\xff")
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(b"\0" * 148 + b"Braxova"))
    (tmp_path / "c.log").write_text("0.812345678 912345678 99887766")
    found = find_strings(
        tmp_path, ["Quillhurst", "Braxova", "12345678", "99887766", "Quill"], skip=("private",)
    )
    assert found["Quillhurst"] == {"QUILLHURST.csv", "a.sqlite"}
    assert found["Braxova"] == {"b.nii.gz"}
    assert found["12345678"] == {"a.sqlite"}  # in c.log it is part of longer numbers
    assert found["99887766"] == {"c.log"}


def test_a_string_across_two_blocks_is_found(tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(b"x" * ((1 << 22) - 4) + b"Quillhurst")
    assert find_strings(tmp_path, ["Quillhurst"]) == {"Quillhurst": {"big.bin"}}


@given(st.lists(st.text("abc1", min_size=1, max_size=5), min_size=1, max_size=8, unique=True))
def test_the_prefix_tree_finds_whole_texts(texts: list[str]) -> None:
    import re

    from agent.score.privacy import _any_of

    pattern = re.compile(_any_of(texts))
    assert all(pattern.fullmatch(text) for text in texts)
    assert not pattern.fullmatch("d")


# --- whole workspaces ---


def test_a_perfect_pipeline_gets_perfect_scores(perfect: ScoreTable) -> None:
    for stage, measure in [
        ("retrieve", "findings, accuracy"),
        ("retrieve", "findings present, F1"),
        ("retrieve", "tumour size within 1 mm"),
        ("retrieve", "contrast phase, accuracy"),
        ("clean", "damaged scans, recall"),
        ("clean", "damaged scans, precision"),
        ("clean", "duplicate pairs, recall"),
        ("clean", "duplicate pairs, precision"),
        ("ingest", "undamaged scans taken in"),
        ("ingest", "labels taken in"),
        ("fuse", "pseudo labels, mean DSC"),
        ("detect", "planted label errors, AUROC"),
        ("detect", "flagged labels, recall"),
        ("detect", "flagged labels, precision"),
        ("assemble", "planted errors, mean DSC after"),
        ("assemble", "clean labels, mean DSC after"),
    ]:
        row = perfect.find(stage, measure)
        assert row.value == pytest.approx(1.0), measure
        assert row.n > 0
    assert perfect.find("privacy", "planted identifiers left readable").value == 0
    assert perfect.find("assemble", "clean labels harmed").value == 0


def test_trivial_methods_stand_beside_and_are_worse(perfect: ScoreTable) -> None:
    for stage, measure in [
        ("retrieve", "findings, accuracy"),
        ("clean", "duplicate pairs, recall"),
        ("fuse", "pseudo labels, mean DSC"),
        ("detect", "flagged labels, recall"),
        ("assemble", "planted errors, mean DSC after"),
    ]:
        row = perfect.find(stage, measure)
        assert row.reference
        assert row.reference_value is not None
        assert row.reference_value < 0.9
    assert (perfect.find("privacy", "planted identifiers left readable").reference_value or 0) > 50


def test_attention_is_compared_with_the_true_error_of_the_pseudo_labels(
    cohort: Path, tmp_path: Path
) -> None:
    root = fabricate(cohort, tmp_path / "ws", perfect=True, flawed_pseudo=True)
    table = score_demo(root, cohort / "truth")
    for subject in ("case", "class"):
        row = table.find("attention", f"{subject} attention against true error, Spearman")
        assert row.value == pytest.approx(1.0, abs=0.02)
        assert row.reference_value == 0
    top = table.find("attention", "error held by the top 5 % of the priority list")
    assert top.value is not None
    assert top.reference_value is not None
    assert top.value > 2 * top.reference_value
    after = table.find("assemble", "planted errors, mean DSC after")
    assert after.value == pytest.approx(after.reference_value)  # nothing was mended
    assert table.find("assemble", "clean labels harmed").value == 0


def test_a_flagship_is_scored_on_test_scans_beside_the_best_single_model(
    perfect: ScoreTable,
) -> None:
    row = perfect.find("train", "flagship of round 1, mean DSC on test")
    assert row.value == pytest.approx(1.0)
    assert row.reference_value is not None
    assert row.reference_value < 0.9
    assert row.note == "against true masks"
    assert perfect.find("train", "last flagship DSC, liver").value == pytest.approx(1.0)


def test_what_did_not_run_says_so(cohort: Path, tmp_path: Path) -> None:
    root = fabricate(cohort, tmp_path / "ws", ingest=lambda entry: False)
    table = score_demo(root, cohort / "truth")
    empty = [row for row in table if row.value is None]
    assert {"clean", "fuse", "detect", "assemble", "train", "attention"} <= {r.stage for r in empty}
    assert all(row.note.startswith("not run") for row in empty)


def test_only_ingested_labels_are_as_bad_as_they_were_drawn(cohort: Path, tmp_path: Path) -> None:
    root = fabricate(cohort, tmp_path / "ws")
    table = score_demo(root, cohort / "truth")
    assert table.find("clean", "duplicate pairs, recall").value == 0
    assert table.find("clean", "damaged scans, recall").value == 1  # none was taken in
    assert table.find("detect", "planted label errors, AUROC").value is None


def test_a_leak_is_counted(cohort: Path, tmp_path: Path) -> None:
    root = fabricate(cohort, tmp_path / "ws")
    name = next(p["text"] for p in read_truth(cohort)["phi"] if p["kind"] == "name")
    (root / "rounds").mkdir()
    (root / "rounds" / "report.html").write_text(f"<td>{name.upper()}</td>")
    row = score_demo(root, cohort / "truth").find("privacy", "planted identifiers left readable")
    assert row.value == 1
    assert "name" in row.note
    assert name.lower() not in row.note.lower()


def test_truth_lies_right_on_a_grid_of_other_axes_and_spacing(cohort: Path, tmp_path: Path) -> None:
    """The workspace may reorient and resample: masks follow the affine."""
    from agent.score.truth import Scoring
    from voxcurate.catalog import Catalog
    from voxcurate.workspace import Workspace

    workspace = Workspace(fabricate(cohort, tmp_path / "ws"))
    catalog = Catalog(workspace.catalog_url)
    scoring = Scoring.open(workspace, catalog, cohort / "truth")
    case = scoring.good_cases()[0]
    plain = scoring.true_mask(case, "liver")
    scan = scoring.scans[case]
    affine = np.asarray(scan.affine)
    n_i, n_j, n_k = plain.shape
    turn = np.array([[0, 0, 1, 0], [-1, 0, 0, n_j - 1], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    turned = scoring._masks_on(case, (n_j, n_k, n_i), affine @ turn)["liver"]
    assert (turned == plain.transpose(1, 2, 0)[::-1]).all()
    rounded = affine + 1e-6  # a header's float32: the border must not fall out of the volume
    assert (scoring._masks_on(case, plain.shape, rounded)["liver"] == plain).all()
    aorta = scoring.true_mask(case, "aorta")
    assert (scoring._masks_on(case, plain.shape, rounded)["aorta"] == aorta).all()
    finer = scoring._masks_on(
        case, tuple(2 * n for n in plain.shape), affine @ np.diag([0.5] * 3 + [1])
    )
    assert finer["liver"].sum() == pytest.approx(8 * plain.sum(), rel=0.05)
    catalog.close()


def test_the_truth_of_another_cohort_is_refused(cohort: Path, tmp_path: Path) -> None:
    root = fabricate(cohort, tmp_path / "ws")
    other = tmp_path / "other"
    data = read_truth(cohort)
    for scan in data["scans"]:
        scan["source"] = "elsewhere"
    other.mkdir()
    (other / "truth.json").write_text(json.dumps(data))
    with pytest.raises(WorkspaceError, match="none of the workspace's scans"):
        score_demo(root, other)
    with pytest.raises(WorkspaceError, match=r"no truth\.json"):
        score_demo(root, tmp_path)


def test_a_table_is_data_and_can_be_shown() -> None:
    table = gather([ScoreRow("clean", "recall", float("nan"), "none", float("nan"), 3, "odd")])
    assert json.loads(json.dumps(table.to_json(), allow_nan=False))[0]["value"] is None
    assert table.rows[0].note.startswith("undefined")
    assert table.render().row_count == 1
    with pytest.raises(KeyError):
        table.find("clean", "precision")
