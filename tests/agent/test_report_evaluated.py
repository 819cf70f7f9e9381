"""The evaluation in brief on the page of a round, of figures made by the evaluation itself."""

import json
from dataclasses import replace

import pytest

from agent.report.build import build_sections, render
from agent.report.view import load_view
from tests.training.conftest import build
from tests.training.evaluation.worlds import row
from training.evaluation.config import EvaluateConfig
from training.evaluation.significance import compare
from training.evaluation.summary import summarise
from training.evaluation.values import tables_of
from voxcurate.classes import load_vocabulary


@pytest.fixture
def view(tmp_path):
    world = build(tmp_path, ("train", "test"))
    yield load_view(world.ctx, 1)
    world.ctx.catalog.close()


def section(view):
    return {s.id: s for s in build_sections(view)}["evaluation"]


def scores(gain):
    lesion = {"ml": 1.0, "diameter_mm": 12.0, "size": "small", "state": "found", "iou": 0.5}
    lesions = {"truth": [lesion], "predicted": [{**lesion, "state": "hit"}], "scores": [0.9],
               "hits": [[0]], "ignored": [False], "lesions_ml": [1.0]}  # fmt: skip
    return {
        f"c{n}": {"mandible": row(0.6 + 0.02 * n + gain, hd95=None if n == 3 else 4.0),
                  "liver_tumor": {**row(0.5 + gain), "is_soft": True, "lesions": lesions}}
        for n in range(8)
    }  # fmt: skip


def write(view, *, n=8):
    config = EvaluateConfig(bootstrap=50)
    now, before = ({c: s for c, s in scores(g).items() if int(c[1:]) < n} for g in (0.1, 0.0))
    groups = {"sex": {case: "fm"[int(case[1:]) % 2] for case in now}}
    told = summarise(now, config, load_vocabulary(), patients={}, groups=groups, seed=0)
    tests = compare(tables_of(now), tables_of(before), {}, config, seed=0)
    entry = {"name": "flagship", "role": "flagship", **told,
             "against_others": [{"name": "net", "tests": tests}]}  # fmt: skip
    folder = view.folder
    (folder / "evaluation").mkdir(parents=True, exist_ok=True)
    (folder / "evaluation" / "evaluation.md").write_text("# Evaluation\n")
    zoo = {**entry, "name": "net", "role": "zoo", "against_others": []}
    (folder / "evaluation.json").write_text(json.dumps({"models": [zoo, entry]}))


def test_without_an_evaluation_it_says_so(view):
    assert section(view).empty == "No model was evaluated in this round."


def test_surfaces_lesions_and_tests_are_told_in_brief(view):
    write(view)
    made = section(view)
    surfaces, *_ = [b for b in made.blocks if b.kind == "table"]
    assert list(surfaces.head) == ["class", "n", "strict NSD", "HD95 mm", "volume error mL"]
    mandible = next(r for r in surfaces.rows if r[0].lower() == "mandible")
    assert mandible[3].startswith("4.0 (4.0–")
    captions = [b.caption for b in made.blocks if b.kind == "table"]
    assert any(c.startswith("Lesions: ") and "subgroup" in c for c in captions)
    assert "Against net" in captions
    assert "Worst cases by DSC" in captions
    said = " ".join(b.text for b in made.blocks if b.kind == "text")
    assert "mean DSC +0.100" in said
    assert "8 patients, significant" in said
    page = render(replace(view), [made])
    assert 'href="evaluation/evaluation.md"' in page


def test_few_patients_make_no_claim(view):
    write(view, n=4)
    made = section(view)
    assert "too few patients for a claim" in " ".join(
        b.text for b in made.blocks if b.kind == "text"
    )
    surfaces = next(b for b in made.blocks if b.kind == "table")
    assert surfaces.rows[0][1] == "4 (few)"
