"""The stage from end to end: zoo, predictions, flagship, evaluation, on a small workspace."""

import json
from dataclasses import replace

import pytest

from tests.training.conftest import CLASSES, SHAPE, build, flagship_config, zoo_config
from training import predict
from training.config import AnnealConfig, MixConfig, PredictConfig
from training.evaluation import stage as evaluate
from training.evaluation.case import NAMES
from training.evaluation.config import EvaluateConfig
from training.rounds import flagship, zoo
from training.rounds.cases import case_specs, current_labels
from training.rounds.models import all_groups, of_round, taught_groups
from voxcurate.catalog import Decision, Label, Measure, Model, WorkItem
from voxcurate.errors import TrainingError
from voxcurate.ledger import LazyItems, LedgerResult
from voxcurate.predictions import open_prediction


def bundle_of(ctx, model):
    return ctx.workspace.root / model.path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One round's zoo, flagship, predictions and evaluation; tests below only look."""
    world = build(tmp_path_factory.mktemp("stage"), unknown=[("phantom_1", "mandible")])
    results = {"zoo": zoo.run(world.ctx, zoo_config())}
    results["flagship"] = flagship.run(world.of_round(1), flagship_config())
    models = of_round(world.ctx, "zoo") + of_round(world.ctx, "flagship")
    results["predict"] = predict.run(world.ctx, PredictConfig(), models)
    results["evaluate"] = evaluate.run(world.ctx, EvaluateConfig(bootstrap=50), models)
    yield world, results, models
    world.ctx.catalog.close()


def test_nothing_failed(trained):
    _, results, models = trained
    assert all(not result.failed for result in results.values())
    assert {m.name for m in models} == {"dynunet_small_fold1", "unet_small_fold0", "flagship"}


def test_every_training_case_is_unseen_by_one_network(trained):
    world, _, _ = trained
    models = of_round(world.ctx, "zoo")
    group_of = all_groups(world.ctx.catalog)
    for n in range(4):
        own = group_of[f"phantom_{n}"]
        unseen = [own not in taught_groups(m.training_cases, group_of) for m in models]
        assert unseen.count(True) == 1
    assert all({"phantom_4", "phantom_5"}.isdisjoint(m.training_cases) for m in models)


def test_flagship_learns_from_the_training_split_only(trained):
    world, results, _ = trained
    (model,) = of_round(world.ctx, "flagship")
    assert model.training_cases == [f"phantom_{n}" for n in range(4)]
    assert results["flagship"].counts["annealing"].startswith("skipped: no gold")


def test_prediction_files(trained):
    world, results, models = trained
    assert results["predict"].counts["predicted"] == 18
    for model in models:
        paths = predict.prediction_paths(world.ctx, model.model_id)
        for case_id, path in paths.items():
            found = open_prediction(path)
            assert set(found.classes) == set(CLASSES)
            assert found.shape == SHAPE
            assert found.model_sha256 == model.sha256
            expected = case_id not in model.training_cases
            assert found.out_of_fold is expected


def test_evaluation_uses_test_scans_and_original_labels(trained):
    world, _, models = trained
    rows = world.ctx.catalog.rows(Measure, stage="evaluate")
    assert {row.case_id for row in rows} == {"phantom_5"}
    assert len(rows) == len(models) * len(CLASSES) * len(NAMES)
    assert all(row.facts["split"] == "test" for row in rows)
    path = world.ctx.workspace.round_path(1, "evaluation.json")
    summary = json.loads(path.read_text())
    assert {m["name"] for m in summary["models"]} == {m.name for m in models}
    assert summary["models"][0]["classes"]["mandible"]["dsc"]["n"] == 1


def test_doing_it_again_does_nothing(trained):
    world, _, models = trained
    again = zoo.run(world.ctx, zoo_config())
    assert (again.counts["trained"], again.counts["reused"]) == (0, 2)
    predicted = predict.run(world.ctx, PredictConfig(), models)
    assert predicted.counts["predicted"] == 0


def test_predictions_are_one_list_made_when_looked_at(trained, monkeypatch):
    """In pieces, a cluster's devices would wait for the last item of each."""
    world, _, models = trained
    asked = []

    def look(ctx, stage, items, *_, **__):
        asked.append(items)
        return LedgerResult(0, len(items))

    monkeypatch.setattr(predict, "run_items", look)
    assert predict.run(world.ctx, PredictConfig(), models).counts["reused"] == 18
    (items,) = asked
    assert isinstance(items, LazyItems)
    assert [item.variant for item in items] == [m.model_id for m in models for _ in range(6)]
    assert not any(item.again for item in items)


def test_log_has_a_line_per_logged_step(trained):
    world, _, _ = trained
    path = world.ctx.workspace.round_path(1, "training", "flagship.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert {"loss", "lr", "seconds", "eta_s", "phase"} <= set(lines[0])
    assert lines[-1]["phase"] == "mix"


def test_no_checkpoint_is_left(trained):
    world, _, _ = trained
    runs = world.ctx.workspace.root / "cache" / "training" / "runs"
    assert not runs.exists() or not list(runs.iterdir())


def test_second_round_reuses_the_zoo_and_goes_on_from_the_flagship(world):
    zoo.run(world.ctx, zoo_config())
    flagship.run(world.ctx, flagship_config())
    (first,) = of_round(world.ctx, "flagship")
    second = world.of_round(2)
    result = zoo.run(second, zoo_config())
    assert result.counts["trained"] == 0
    assert {m.round for m in of_round(second, "zoo")} == {1}
    flagship.run(second, flagship_config())
    (model,) = of_round(second, "flagship")
    assert model.facts["parent"] == first.model_id
    assert model.facts["warm_started"]
    assert model.model_id != first.model_id


def test_comparison_with_the_last_round(world):
    config = EvaluateConfig(bootstrap=50)
    for number in (1, 2):
        ctx = world.of_round(number)
        flagship.run(ctx, flagship_config())
        models = of_round(ctx, "flagship")
        predict.run(ctx, PredictConfig(), models, splits=("test",))
        evaluate.run(ctx, config, models)
    summary = json.loads(ctx.workspace.round_path(2, "evaluation.json").read_text())
    against = summary["models"][0]["against"]
    assert against["round"] == 1
    assert against["dsc"]["n"] == 1


def test_annealing_on_gold_labels_only(world):
    masks = world.truth["phantom_2"]
    for class_id in CLASSES:
        world.add_label(
            "phantom_2", class_id, masks[class_id], origin="revised", number=1, gold=True
        )
    result = flagship.run(world.ctx, flagship_config())
    assert result.counts["annealing"] == "on 1 case"
    path = world.ctx.workspace.round_path(1, "training", "flagship.jsonl")
    phases = [json.loads(line)["phase"] for line in path.read_text().splitlines()]
    assert phases == ["mix", "mix", "anneal", "anneal"]


def test_revised_labels_anneal_only_when_asked(world):
    world.add_label(
        "phantom_2", "mandible", world.truth["phantom_2"]["mandible"], origin="revised", number=1
    )
    asked = AnnealConfig(share=0.5, on="gold_or_revised")
    assert (
        flagship.run(world.ctx, flagship_config(anneal=asked))
        .counts["annealing"]
        .startswith("on 1")
    )
    plain = flagship.run(world.ctx, flagship_config())
    assert plain.counts["annealing"].startswith("skipped")


def test_class_without_any_mask_is_left_out_and_named(world):
    ctx = world.of_round(1, classes=(*CLASSES, "larynx"))
    result = flagship.run(ctx, flagship_config())
    assert result.counts["classes_without_labels"] == ["larynx"]
    assert of_round(ctx, "flagship")[0].classes == list(CLASSES)


def test_no_label_at_all_says_so(tmp_path):
    nothing = [(f"phantom_{n}", c) for n in range(2) for c in CLASSES]
    world = build(tmp_path, ("train", "test"), unknown=nothing)
    with pytest.raises(TrainingError, match="no scan of the train split"):
        zoo.run(world.ctx, zoo_config())
    world.ctx.catalog.close()


def test_one_training_case_is_enough_but_never_out_of_fold(tmp_path):
    world = build(tmp_path, ("train", "test"))
    result = zoo.run(world.ctx, zoo_config())
    assert not result.failed
    models = of_round(world.ctx, "zoo")
    assert sum(m.facts["fold"] is None for m in models) == 1
    assert all(m.training_cases == ["phantom_0"] for m in models)
    world.ctx.catalog.close()


def test_unlabeled_scans_join_when_the_mix_asks(tmp_path):
    nothing = [("phantom_1", c) for c in CLASSES]
    world = build(tmp_path, ("train", "train", "test"), unknown=nothing)
    mix = MixConfig(labelled=0.5, selective=0.25, unlabeled=0.25)
    result = flagship.run(world.ctx, flagship_config(mix=mix, steps=8))
    assert not result.failed
    assert result.counts["unlabeled_scans"] == 1
    assert of_round(world.ctx, "flagship")[0].training_cases == ["phantom_0", "phantom_1"]
    world.ctx.catalog.close()


def test_broken_scan_is_named_without_its_path(world):
    world.ctx.workspace.scan_path("phantom_0").write_bytes(b"no image")
    result = flagship.run(world.ctx, flagship_config())
    (error,) = result.failed.values()
    assert "ct" in error
    assert str(world.ctx.workspace.root) not in error


def test_technical_settings_do_not_retrain_others_do(world):
    flagship.run(world.ctx, flagship_config())
    again = flagship.run(world.ctx, flagship_config(log_every=2, checkpoint_every=3))
    assert again.counts["trained"] == 0
    other = flagship.run(world.ctx, flagship_config(steps=6))
    assert other.counts["trained"] == 1


def test_going_back_to_a_configuration_makes_its_model_count(world):
    flagship.run(world.ctx, flagship_config())
    (first,) = of_round(world.ctx, "flagship")
    weights = (bundle_of(world.ctx, first) / "models" / "model.pt").read_bytes()
    flagship.run(world.ctx, flagship_config(steps=5))
    rewind(world)
    assert of_round(world.ctx, "flagship")[0].model_id != first.model_id
    flagship.run(world.ctx, flagship_config())
    assert of_round(world.ctx, "flagship") == [first]
    assert (bundle_of(world.ctx, first) / "models" / "model.pt").read_bytes() == weights


def rewind(world):
    """The ledger's times have seconds: let the first training lie in the past."""
    lines = world.ctx.catalog.rows(WorkItem, stage="train_flagship")
    with world.ctx.catalog.write() as writer:
        for line in lines:
            (model,) = world.ctx.catalog.rows(Model, model_id=line.result["model_id"])
            minute = model.facts["steps"]
            writer.put(replace(line, updated=f"2020-01-01T00:0{minute}:00+00:00"))


def test_a_retired_label_does_not_make_another_zoo(world):
    zoo.run(world.ctx, zoo_config())
    (label,) = world.ctx.catalog.rows(Label, case_id="phantom_0", class_id="mandible")
    decision = Decision("", 1, "judge", "phantom_0", "mandible", label.label_id, "replace", "", "t")
    with world.ctx.catalog.write() as writer:
        writer.flag(label.label_id, decision, retired=True)
    assert zoo.run(world.of_round(2), zoo_config()).counts["trained"] == 0
    assert zoo.run(world.of_round(2), zoo_config().model_copy(update={"retrain": True})).counts[
        "trained"
    ]


def test_what_a_person_confirmed_weighs_as_what_a_person_drew(world):
    mask = world.truth["phantom_2"]["mandible"]
    label = world.add_label("phantom_2", "mandible", mask, origin="pseudo", number=1)

    def origin():
        specs = case_specs(
            world.ctx, world.ctx.scans("train"), current_labels(world.ctx, 1), ["mandible"]
        )
        return {s["case_id"]: s["labels"]["mandible"]["origin"] for s in specs}["phantom_2"]

    assert origin() == "pseudo"
    said = Decision("", 1, "review", "phantom_2", "mandible", label.label_id, "accept", "", "human")
    with world.ctx.catalog.write() as writer:
        writer.flag(label.label_id, said, confirmed=True)
    assert origin() == "revised"


@pytest.mark.parametrize(("network", "steps"), [("unet_small", 2), ("dynunet_small", 4)])
def test_another_network_does_not_start_warm(world, monkeypatch, network, steps):
    before = Model("m", 1, "flagship", "unet", "", "", [], [], facts={"network": "unet_small"})
    runs = []
    monkeypatch.setattr(flagship, "last_of", lambda *_: [before])
    monkeypatch.setattr(
        flagship, "train", lambda _, given, **__: runs.extend(given) or LedgerResult(0, 0)
    )
    config = flagship_config().model_copy(update={"network": network, "warm_steps": 2})
    counts = flagship.run(world.of_round(2), config).counts
    assert runs[0].steps == steps
    assert counts["warm_start"] == ("m" if network == "unet_small" else "")
