"""The contracts that every stage relies on, each held on a round that was really run."""

import inspect
import json
import re
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from agent.commands import ingest_folder
from agent.config import RoundConfig, resolve
from tests.agent.small import SETTINGS
from voxcurate import protocols
from voxcurate.catalog import (
    Assembly,
    Catalog,
    Decision,
    Label,
    Measure,
    Model,
    Report,
    Round,
    Scan,
    WorkItem,
)
from voxcurate.classes import ClassInfo, load_vocabulary
from voxcurate.config import parse_overrides, read_yaml, shipped
from voxcurate.errors import CatalogError
from voxcurate.labels import read_mask, rebuild_view
from voxcurate.nifti import read_nifti
from voxcurate.predictions import open_prediction
from voxcurate.workspace import Workspace

STAGES = ("agent", "retrieval", "cleaning", "labeling", "training")
BUNDLE = ("configs/metadata.json", "configs/inference.json", "models/model.pt", "classes.json")
REGISTRIES = (
    "REPORT_READERS",
    "CHAT_ENGINES",
    "PREDICTORS",
    "LABEL_JUDGES",
    "EMBEDDERS",
    "EXECUTORS",
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def catalog(finished):
    made = Catalog(Workspace(finished).catalog_url)
    yield made
    made.close()


@pytest.fixture
def truth(finished):
    return json.loads((finished.parent / "cohort" / "truth" / "truth.json").read_text())


def by_id(records, name):
    return {getattr(record, name): record for record in records}


# 1 truth is frozen first


def test_1_a_patient_and_a_duplicate_group_have_one_split(catalog):
    for key in ("patient", "duplicate_group"):
        seen = {}
        for scan in catalog.rows(Scan):
            seen.setdefault(getattr(scan, key), set()).add(scan.split)
        assert all(len(splits) == 1 for splits in seen.values())
    assert {scan.split for scan in catalog.rows(Scan)} >= {"train", "test"}


def test_1_test_scans_teach_nothing_and_are_never_mended(catalog):
    test = {scan.case_id for scan in catalog.rows(Scan, split="test")}
    labels = by_id(catalog.rows(Label), "label_id")
    assert test
    for model in catalog.rows(Model):
        assert model.training_cases
        assert not test & set(model.training_cases)
    pointed = [p for p in catalog.rows(Assembly) if p.case_id in test]
    assert pointed
    assert {labels[p.label_id].origin for p in pointed} == {"original"}
    assert not [x for x in labels.values() if x.case_id in test and x.origin != "original"]


def test_1_splits_stay_when_the_folder_is_ingested_again(finished, tmp_path, catalog):
    before = {scan.case_id: scan.split for scan in catalog.rows(Scan)}
    copy = tmp_path / "again"
    shutil.copytree(finished, copy)
    ingest_folder(copy, finished.parent / "cohort" / "cohort")
    again = Catalog(Workspace(copy).catalog_url)
    assert {scan.case_id: scan.split for scan in again.rows(Scan)} == before
    again.close()


# 2 trust order


def test_2_pointers_follow_the_trust_order(catalog):
    order = resolve_config(catalog).labeling.assemble.trust
    labels = catalog.rows(Label)
    versions = {}
    for label in labels:
        if not label.retired:
            versions.setdefault((label.case_id, label.class_id), []).append(rank(label, order))
    for key, pointer in catalog.current().items():
        chosen = next(x for x in labels if x.label_id == pointer.label_id)
        assert rank(chosen, order) == min(versions[key]), key


def rank(label, order):
    if label.gold:
        return order.index("gold")
    if label.origin == "revised" or label.confirmed:
        return order.index("human")
    return order.index(label.origin)


def test_2_only_listed_origins_are_mended_without_a_person(catalog):
    assert RoundConfig().labeling.judge.auto_mend == ("pseudo", "judged")
    allowed = resolve_config(catalog).labeling.judge.auto_mend
    retired = [label for label in catalog.rows(Label) if label.retired]
    assert {label.origin for label in retired} <= set(allowed)
    ids = [label.label_id for label in retired]
    mended = {d.label_id for d in catalog.rows(Decision, label_id=ids)}
    proposed = {d.other_label for d in catalog.rows(Decision, verdict="to_review")}
    assert mended | proposed.intersection(ids) == set(ids)


# 3 label versions


def test_3_label_files_are_what_the_catalog_says(finished, catalog):
    scans = by_id(catalog.rows(Scan), "case_id")
    for label in catalog.rows(Label):
        mask = read_mask(finished, label.path, tuple(scans[label.case_id].shape))
        assert mask.sum() == label.voxels


def test_3_a_label_cannot_be_overwritten(finished, catalog):
    label = catalog.rows(Label)[0]
    with catalog.write() as writer, pytest.raises(CatalogError, match="immutable"):
        writer.put(label)


def test_3_the_view_can_be_rebuilt_from_the_pointers(finished, tmp_path, catalog):
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    workspace = Workspace(copy)
    labels = by_id(catalog.rows(Label), "label_id")
    pointer = next(p for p in catalog.current().values() if labels[p.label_id].path)
    scan = catalog.one(Scan, case_id=pointer.case_id)
    folder = workspace.scan_path(scan.case_id).parent / "segmentations"
    shutil.rmtree(folder)
    rebuild_view(workspace, scan, {pointer.class_id: labels[pointer.label_id]})
    shown = read_nifti(folder / f"{pointer.class_id}.nii.gz").array > 0
    assert np.array_equal(
        shown, read_mask(finished, labels[pointer.label_id].path, tuple(scan.shape))
    )


def test_3_absent_means_unknown_unless_the_source_is_complete(catalog):
    originals = {}
    for label in catalog.rows(Label, origin="original"):
        originals.setdefault(label.case_id, {})[label.class_id] = label
    scans = catalog.rows(Scan)
    targets = set(catalog.rows(Round)[0].facts["classes"])
    assert any(scan.complete for scan in scans)
    for scan in scans:
        own = originals.get(scan.case_id, {})
        assert set(scan.complete) <= set(own)
        for class_id, label in own.items():
            assert label.voxels or class_id in scan.complete
    assert any(targets - set(originals.get(scan.case_id, {})) for scan in scans)


# 4 vocabulary, 5 sources: see tests/voxcurate/test_classes.py, test_sources.py, test_layouts.py


def test_4_every_label_is_of_the_vocabulary(catalog):
    vocabulary = load_vocabulary()
    assert all(label.class_id in vocabulary for label in catalog.rows(Label))
    wanted = {"name", "aliases", "pair", "inside", "tolerance_mm", "description", "standard"}
    assert wanted | {"inter_annotator_dsc"} <= set(ClassInfo.model_fields)


def test_5_no_source_is_named_in_code():
    root = Path(__file__).parents[2]
    names = [path.stem for path in shipped("sources").glob("*.yaml")]
    assert names
    for package in ("voxcurate", "agent", "retrieval", "cleaning", "labeling", "training"):
        for path in (root / package).rglob("*.py"):
            text = path.read_text()
            found = {name for name in names if re.search(rf"[\"']{name}[\"']", text)}
            if path.parent.name == "predictors" or path.name == "protocols.py":
                found -= set(protocols.PREDICTORS)  # a kind of model, named as its program
            assert not found, path


# 6 ids, 7 privacy


def test_6_ids_are_keyed_and_the_map_is_private(finished, catalog):
    for scan in catalog.rows(Scan):
        assert re.fullmatch(rf"{scan.source}_[a-z2-7]{{10}}", scan.case_id)
    private = finished / "private"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in private.iterdir() if p.is_file())


def test_7_no_identifier_is_readable_outside_the_private_map(finished, truth):
    from agent.score.privacy import find_strings

    planted = [entry["text"] for entry in truth["phi"]]
    assert len(planted) > 20
    assert find_strings(finished.parent / "cohort" / "cohort", planted)
    assert find_strings(finished, planted, skip=("private",)) == {}


def test_7_reports_in_the_catalog_are_scrubbed_and_linked(catalog):
    reports = catalog.rows(Report)
    assert reports
    assert any("[NAME]" in r.text or "[DATE]" in r.text for r in reports)
    assert any(r.case_id for r in reports)


# 8 ledger, 9 pure workers


def test_8_items_name_round_stage_subject_variant_and_fingerprint(catalog):
    items = catalog.rows(WorkItem, round=1, status="done")
    assert {"clean", "train_zoo", "predict", "train_flagship", "evaluate"} <= {
        i.stage for i in items
    }
    cases = {scan.case_id for scan in catalog.rows(Scan)}
    models = {model.model_id for model in catalog.rows(Model)}
    predicted = [item for item in items if item.stage == "predict"]
    assert predicted
    assert all(i.subject in cases and i.variant in models for i in predicted)


def test_9_workers_get_plain_data_and_never_the_catalog():
    import ast

    root = Path(__file__).parents[2]
    workers = set()
    for package in ("agent", "retrieval", "cleaning", "labeling", "training"):
        for path in (root / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    match = re.fullmatch(
                        r"((?:agent|retrieval|cleaning|labeling|training)[\w.]*):([a-z]\w*)",
                        node.value,
                    )
                    if match:
                        workers.add(match.groups())
    assert len(workers) >= 6
    for module, name in workers:
        from importlib import import_module

        tree = ast.parse(inspect.getsource(getattr(import_module(module), name)))
        used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        used |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
        assert not used & {"Catalog", "Writer", "catalog", "write"}, (module, name)


# 10 predictions, 11 models


def test_10_predictions_are_cropped_bytes_that_prove_their_fold(finished, catalog):
    models = by_id(catalog.rows(Model), "model_id")
    lines = catalog.rows(WorkItem, stage="predict", status="done")
    out_of_fold = 0
    for line in lines:
        prediction = open_prediction(finished / line.result["path"])
        model = models[prediction.model_id]
        if prediction.out_of_fold:
            out_of_fold += 1
            assert line.subject not in model.training_cases
        for class_id in prediction.classes:
            assert prediction.full(class_id).dtype == np.uint8
    train = {scan.case_id for scan in catalog.rows(Scan, split="train")}
    assert out_of_fold
    zoo = [m for m in models.values() if m.facts.get("role") == "zoo"]
    assert len(zoo) == 3
    taught = set().union(*(m.training_cases for m in zoo))
    assert all(any(c not in m.training_cases for m in zoo) for c in taught & train)


def test_11_a_model_is_a_monai_bundle_with_its_papers(finished, catalog):
    from monai.bundle import ConfigParser

    for model in catalog.rows(Model):
        folder = finished / model.path
        for name in (
            "configs/metadata.json",
            "configs/inference.json",
            "models/model.pt",
            "classes.json",
        ):
            assert (folder / name).is_file()
        parser = ConfigParser()
        parser.read_config(folder / "configs" / "inference.json")
        parser.read_meta(folder / "configs" / "metadata.json")
        assert parser.get("_meta_")["monai_version"]
        assert model.training_cases
        assert model.licence


# 12 coordinates


def test_12_left_is_left_in_world_coordinates(finished, catalog, truth):
    from voxcurate.masks import centroid_mm

    scans = by_id(catalog.rows(Scan, split="train"), "case_id")
    pairs = {}
    for label in catalog.rows(Label, class_id=["kidney_left", "kidney_right"], origin="original"):
        if label.voxels and label.case_id in scans:
            pairs.setdefault(label.case_id, {})[label.class_id] = label
    right_way = []
    for case_id, labels in pairs.items():
        if len(labels) == 2:
            scan = scans[case_id]
            x = {
                c: centroid_mm(
                    read_mask(finished, label.path, tuple(scan.shape)), np.asarray(scan.affine)
                )[0]
                for c, label in labels.items()
            }
            right_way.append(x["kidney_right"] > x["kidney_left"])
    assert len(right_way) >= 3
    assert np.mean(right_way) > 0.6  # some pairs are swapped on purpose
    assert all(np.linalg.det(np.asarray(s.affine)[:3, :3]) != 0 for s in scans.values())


# 13 protocols, 14 config, 15 workspace, 16 exit


def test_13_registries_name_what_exists():
    for name in (
        "REPORT_READERS",
        "CHAT_ENGINES",
        "PREDICTORS",
        "LABEL_JUDGES",
        "EMBEDDERS",
        "EXECUTORS",
    ):
        registry = getattr(protocols, name)
        for part in registry:
            assert inspect.isclass(protocols.load(registry, part)), (name, part)


def test_14_layers_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    workspace = Workspace.create(tmp_path / "w", preset="demo")
    shipped_steps = read_yaml(shipped("rounds", "demo.yaml"))["zoo"]["training"]["steps"]
    assert resolve(workspace).zoo.training.steps == shipped_steps
    config = workspace.root / "config.yaml"
    config.write_text(
        config.read_text().replace("round: {}", "round: {zoo: {training: {steps: 7}}, seed: 5}")
    )
    workspace = Workspace(workspace.root)
    assert resolve(workspace).zoo.training.steps == 7
    file = tmp_path / "round.yaml"
    file.write_text("zoo: {training: {steps: 8}}\n")
    assert resolve(workspace, file=file).zoo.training.steps == 8
    top = resolve(workspace, file=file, overrides=parse_overrides(["zoo.training.steps=9"]))
    assert (top.zoo.training.steps, top.seed) == (9, 5)


def test_14_the_resolved_config_versions_and_seed_are_kept(finished, catalog):
    row = catalog.rows(Round)[0]
    wanted = resolve(Workspace(finished), overrides=parse_overrides(SETTINGS))
    assert row.config == wanted.model_dump(mode="json")
    assert row.versions["torch"] != "not installed"
    assert (finished / "rounds" / "1" / "config.yaml").is_file()


def test_16_some_failed_is_exit_1_and_the_rest_is_done(finished, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    good = finished.parent / "cohort" / "cohort" / "atlasdemo"
    data = tmp_path / "data"
    shutil.copytree(good, data)
    broken = sorted(data.glob("*/ct.nii.gz"))[0]
    broken.write_bytes(broken.read_bytes()[:500])
    runner = CliRunner()
    assert runner.invoke(app, ["init", str(tmp_path / "w")]).exit_code == 0
    result = runner.invoke(app, ["ingest", str(data), "-w", str(tmp_path / "w"), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["failed"]
    assert broken.parent.name not in result.output
    catalog = Catalog(Workspace(tmp_path / "w").catalog_url)
    assert catalog.count(Scan) >= len(list(data.glob("*/ct.nii.gz"))) - 2
    catalog.close()


# 17 budgets are steps, 18 determinism (tests/agent/test_kill.py compares two whole runs)


def test_17_no_result_depends_on_seconds():
    def fields(kind, prefix=""):
        for name, field in kind.model_fields.items():
            inner = field.annotation
            if inspect.isclass(inner) and hasattr(inner, "model_fields"):
                yield from fields(inner, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}"

    timed = [
        name for name in fields(RoundConfig) if re.search(r"(_s|seconds|minutes|hours)$", name)
    ]
    assert timed
    # they stop or delay work, or end a series of rounds; they shape none
    limits = ("_limit_s", "timeout_s", "wait_s", "time_budget_s", "outage_s", "load_s",
              "budget.hours", "budget.review_minutes")  # fmt: skip
    assert all(name.endswith(limits) for name in timed), timed


def test_17_times_are_measured_beside_the_results_only(catalog):
    assert catalog.rows(Measure, name="wall_s")
    assert not [m for m in catalog.rows(Measure) if m.name != "wall_s" and m.name.endswith("_s")]


def resolve_config(catalog):
    return RoundConfig.model_validate(catalog.rows(Round)[0].config)
