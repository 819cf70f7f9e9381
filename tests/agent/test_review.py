"""``voxcurate review``: answers of this round and late ones of earlier rounds."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from labeling.config import LabelingConfig
from labeling.expert import detect, judge
from labeling.fusion import fuse
from labeling.review.folder import VERDICTS
from labeling.review.review import export_review
from tests.labeling.conftest import AFFINE, PLANTED, SHAPE, build
from voxcurate.catalog import Catalog, Decision, Label, Round
from voxcurate.nifti import write_nifti
from voxcurate.volume import Volume
from voxcurate.workspace import Workspace

CONFIG = LabelingConfig()
KEY = ("src_case01", "kidney_left")
NOTHING = dict.fromkeys((*VERDICTS, "open"), 0)


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A workspace whose first round asked people, went on without them, and is over."""
    root = tmp_path_factory.mktemp("review") / "ws"
    world = build(root, planted=PLANTED, n_train=7, n_validation=1, n_test=1)
    for stage in (fuse, detect, judge):
        stage.run(world.ctx, CONFIG)
    export_review(world.ctx, CONFIG)
    facts = {"classes": list(world.ctx.classes)}
    with world.ctx.catalog.write() as writer:
        for number, status in ((1, "done"), (2, "running")):
            writer.put(Round(number, status, {}, {}, 0, "2026-01-01T00:00:00+00:00", facts=facts))
    world.ctx.catalog.close()
    return root


@pytest.fixture
def late(asked, tmp_path):
    """A copy of it for a test of its own, and its catalog; the second round is under way."""
    root = Path(shutil.copytree(asked, tmp_path / "ws"))
    shutil.copy(asked.parent / "key", tmp_path / "key")
    catalog = Catalog(Workspace.find(root).catalog_url)
    yield root, catalog
    catalog.close()


def call(root, *words):
    return CliRunner().invoke(app, ["review", *map(str, words), "-w", str(root)])


def read(root, *words):
    result = call(root, "import", *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def answer(folder, verdict):
    with (folder / "queue.csv").open(encoding="utf-8-sig") as stream:
        queue = list(csv.DictReader(stream))
    for row in queue:
        if (row["case_id"], row["class_id"]) == KEY:
            row["verdict"] = verdict
    with (folder / "queue.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, list(queue[0]))
        table.writeheader()
        table.writerows(queue)
    return next(folder.glob(f"*_{KEY[0]}_{KEY[1]}"))


def finish(catalog, number):
    with catalog.write() as writer:
        row = writer.rows(Round, number=number)[0]
        writer.put(replace(row, status="done"))


def test_an_answer_to_an_earlier_round_is_never_too_late(late):
    root, catalog = late
    assert read(root) == {"rounds": {"2": NOTHING}, "failed": {}, "next": "round"}
    place = answer(root / "review" / "1", "")
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[3:9, 4:8, 5:9] = 1
    write_nifti(place / "revised.nii.gz", Volume(drawn, AFFINE))
    shown = call(root, "import")
    assert shown.exit_code == 0, shown.output
    assert "round 1: 1 revised" in shown.stdout
    assert "round 2: nothing to read" in shown.stdout
    assert "next: voxcurate round goes on" in shown.stdout
    (label,) = catalog.rows(Label, origin="revised")
    assert (label.round, label.voxels) == (1, drawn.sum())
    assert read(root)["rounds"] == {"2": NOTHING}  # once
    assert len(catalog.rows(Label, origin="revised")) == 1
    finish(catalog, 2)
    assert read(root)["next"] == "assemble"
    assert CliRunner().invoke(app, ["assemble", "-w", str(root)]).exit_code == 0
    assert catalog.current()[KEY].label_id == label.label_id


def test_a_round_reads_late_answers_too(late):
    from agent.by_hand import by_hand
    from agent.stages import _review

    root, catalog = late
    answer(root / "review" / "1", "confirm")
    with by_hand(root) as (context, config):
        counts = _review(context, config.model_copy(update={"wait_for_review": False})).counts
    assert counts["late_answers"] == {"round 1": 1}
    (made,) = catalog.rows(Decision, stage="review", verdict="confirm")
    assert made.round == 1


def test_reading_a_round_again_takes_nothing_back_that_was_decided_since(late):
    root, catalog = late
    answer(root / "review" / "1", "confirm")
    assert read(root, "--round", 1)["rounds"]["1"]["confirm"] == 1
    (said,) = catalog.rows(Decision, stage="review", verdict="confirm")
    with catalog.write() as writer:
        later = replace(said, decision_id="", round=2, verdict="retire", created="")
        writer.flag(said.label_id, later, retired=True, confirmed=False)
    assert read(root, "--round", 1)["rounds"]["1"]["confirm"] == 1
    assert catalog.one(Label, label_id=said.label_id).retired
    answer(root / "review" / "1", "skip")  # a changed mind
    assert read(root, "--round", 1)["rounds"]["1"]["skip"] == 1
    assert catalog.rows(Decision, stage="review", verdict="skip")


def test_wrong_calls_are_said(late):
    root, _ = late
    result = call(root, "import", "--round", 7)
    assert (result.exit_code, "round 7 asked nobody" in result.stderr) == (2, True)
    (root / "review" / "1" / "queue.csv").write_text("nothing\n1\n")
    result = call(root, "import")
    assert result.exit_code == 1
    assert "failed: round 1: queue.csv: missing columns" in result.stderr
