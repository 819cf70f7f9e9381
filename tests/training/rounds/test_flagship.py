"""The flagship over rounds: memory of earlier cohorts, classes that join, gold, ablations."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training.conftest import CLASSES, build, flagship_config, tiny
from training.bundle.folder import load_bundle
from training.config import AnnealConfig, FlagshipConfig, MixConfig, ReplayConfig
from training.replay.store import read_memory
from training.rounds import flagship, payload
from training.rounds.ablation import ablated
from training.rounds.models import of_round
from voxcurate.catalog import Decision, Label, Model, Scan
from voxcurate.errors import TrainingError
from voxcurate.ledger import LedgerResult
from voxcurate.nifti import write_nifti
from voxcurate.volume import Volume

OLD, NEW = ("phantom_0", "phantom_1"), ("phantom_2", "phantom_3")
TEST = "phantom_5"
MIX = MixConfig(labelled=0.5, selective=0, replay=0.5)


def config_of(**changes):
    own = {k: changes.pop(k) for k in list(changes) if k in FlagshipConfig.model_fields}
    return FlagshipConfig(training=tiny(**{"mix": MIX, **changes}), **own)


@pytest.fixture
def runs(monkeypatch):
    """What would be trained; nothing is."""
    found = []
    monkeypatch.setattr(
        flagship, "train", lambda _, given, **__: found.extend(given) or LedgerResult(0, 0)
    )
    return found


def had(world, monkeypatch, *, cases=OLD, classes=CLASSES[:2], **facts):
    """A flagship of round 1 that has learnt from some cases."""
    model = Model(
        "m", 1, "flagship", "unet", "nowhere", "", list(classes), list(cases),
        facts={"network": "unet_small", "spacing_mm": [6.0, 7.0, 8.0], **facts},
    )  # fmt: skip
    monkeypatch.setattr(flagship, "last_of", lambda *_: [model])
    return world.of_round(2, cohort=frozenset([*NEW, TEST]))


def ids(cases):
    return [case["case_id"] for case in cases]


def test_two_rounds_with_other_cohorts(world):
    """Trained for real: the second round learns from both, remembers both, and says so."""
    first = world.of_round(1, cohort=frozenset([*OLD, TEST]), classes=CLASSES[:2])
    flagship.run(first, config_of())
    (parent,) = of_round(first, "flagship")
    assert read_memory(first.workspace.root / parent.path).cases == list(OLD)
    second = world.of_round(2, cohort=frozenset([*NEW, TEST]), classes=CLASSES[2:])
    result = flagship.run(second, config_of(steps=8))
    assert not result.failed
    counts = result.counts
    assert counts["start"] == "fine-tuned from the flagship of round 1"
    assert (counts["training_cases"], counts["replayed_cases"]) == (2, 2)
    assert counts["new_classes"] == ["mandible"]
    (model,) = of_round(second, "flagship")
    assert model.classes == list(CLASSES)
    assert model.training_cases == [*OLD, *NEW]
    memory = read_memory(second.workspace.root / model.path)
    assert memory.cases == [*OLD, *NEW]
    assert set(memory.losses) & set(NEW)
    assert memory.features


def test_a_round_that_replays_draws_from_both(world, monkeypatch, runs):
    flagship.run(had(world, monkeypatch), config_of())
    assert ids(runs[0].cases) == list(NEW)
    assert ids(runs[0].memory) == list(OLD)


def test_without_replay_only_the_cohort_is_learnt_from(world, monkeypatch, runs):
    ctx = had(world, monkeypatch)
    flagship.run(ctx, config_of(without=("replay",)))
    flagship.run(ctx, config_of(mix=MixConfig(replay=0)))
    assert [ids(run.memory) for run in runs] == [[], []]
    assert [run.aside["cases"] for run in runs] == [list(OLD), list(OLD)]


def test_a_round_without_replay_forgets_no_case(world):
    """The round after it can replay what was learnt before it."""
    first = world.of_round(1, cohort=frozenset([*OLD, TEST]), classes=CLASSES[:2])
    flagship.run(first, config_of(steps=2))
    second = world.of_round(2, cohort=frozenset([NEW[0], TEST]), classes=CLASSES[:2])
    result = flagship.run(second, config_of(steps=2, without=("replay",), warm_start=False))
    assert result.counts["replayed_cases"] == 0
    (model,) = of_round(second, "flagship")
    assert model.training_cases == [NEW[0]]
    memory = read_memory(second.workspace.root / model.path)
    assert memory.cases == [*OLD, NEW[0]]
    assert set(memory.features) > set(OLD)
    third = world.of_round(3, cohort=frozenset([NEW[1], TEST]), classes=CLASSES[:2])
    assert flagship.run(third, config_of(steps=2)).counts["replayed_cases"] == 3


def test_what_cannot_be_replayed_now_is_put_aside_unless_it_has_left(world, monkeypatch, runs):
    (scan,) = world.ctx.catalog.rows(Scan, case_id=OLD[0])
    with world.ctx.catalog.write() as writer:
        writer.put(replace(scan, status="rejected"))
    ctx = had(world, monkeypatch, cases=(*OLD, "nobody", TEST))
    flagship.run(ctx, config_of())
    assert (ids(runs[0].memory), runs[0].aside["cases"]) == ([OLD[1]], [OLD[0]])
    flagship.run(ctx, config_of(replay=ReplayConfig(memory="linear", size=1)))
    assert runs[1].aside["cases"] == [OLD[0]]


def test_annealing_without_a_step_is_not_told_as_done(world):
    mask = world.truth[OLD[0]][CLASSES[0]]
    world.add_label(OLD[0], CLASSES[0], mask, origin="revised", number=1, gold=True)
    config = config_of(steps=2, anneal=AnnealConfig(share=0.2))
    told = flagship.run(world.ctx, config).counts["annealing"]
    assert told == "skipped: a share of 0.2 of 2 steps is not one step"


def test_a_small_memory_keeps_the_latest(world, monkeypatch, runs):
    ctx = had(world, monkeypatch)
    flagship.run(ctx, config_of(replay=ReplayConfig(memory="linear", size=1)))
    assert ids(runs[0].memory) == [OLD[1]]


def test_memory_holds_no_test_scan_and_none_that_left(world, monkeypatch, runs):
    (scan,) = world.ctx.catalog.rows(Scan, case_id=OLD[0])
    with world.ctx.catalog.write() as writer:
        writer.put(replace(scan, status="rejected"))
    flagship.run(had(world, monkeypatch, cases=(*OLD, "phantom_4", TEST)), config_of())
    assert ids(runs[0].memory) == [OLD[1]]


def test_training_anew_has_the_same_data(world, monkeypatch, runs):
    ctx = had(world, monkeypatch)
    result = flagship.run(ctx, config_of(warm_start=False))
    flagship.run(ctx, config_of())
    anew, tuned = runs
    assert (anew.warm, tuned.warm.model_id) == (None, "m")
    assert (ids(anew.cases), ids(anew.memory)) == (ids(tuned.cases), ids(tuned.memory))
    assert anew.classes == tuned.classes
    assert result.counts["start"] == "trained anew: warm_start is off"


def test_weights_keep_the_grid_that_they_have_learnt_on(world, monkeypatch, runs):
    ctx = had(world, monkeypatch)
    given = tiny().grid
    free = given.model_copy(update={"spacing_mm": None})
    flagship.run(ctx, config_of(grid=free))
    flagship.run(ctx, config_of(grid=free, warm_start=False))
    flagship.run(ctx, config_of())
    assert [run.training.grid.spacing_mm for run in runs] == [(6.0, 7.0, 8.0), None, (8, 8, 8)]


def test_weights_of_another_grid_are_told(world):
    grid = tiny().grid
    flagship.run(world.ctx, config_of(steps=1))
    other = grid.model_copy(update={"windows": ((-100.0, 200.0), (-900.0, 900.0))})
    told = flagship.run(world.of_round(2), config_of(steps=1, grid=other)).counts["start"]
    assert told == "fine-tuned from the flagship of round 1, which had other windows"
    one = grid.model_copy(update={"windows": ((-100.0, 200.0),)})
    told = flagship.run(world.of_round(3), config_of(steps=1, warm_steps=2, grid=one))
    assert told.counts["start"].endswith("sees another number of windows")
    (model,) = of_round(world.of_round(3), "flagship")
    assert model.facts["steps"] == 1  # not those of a fine-tuning


def test_weights_that_do_not_fit_are_not_said_to_be_taken_over(world, monkeypatch):
    flagship.run(world.ctx, config_of(steps=1))
    real = payload.network_config
    wider = {"channels": (8, 8, 16)}
    monkeypatch.setattr(payload, "network_config", lambda n: real(n).model_copy(update=wider))
    told = flagship.run(world.of_round(2), config_of(steps=1)).counts["start"]
    assert told.startswith("trained anew: another shape of")


def test_a_scan_that_cannot_be_used_is_no_training_case(world):
    (scan,) = world.ctx.catalog.rows(Scan, case_id=OLD[0])
    flat = Volume(np.full(scan.shape, -1000, np.int16), np.asarray(scan.affine))
    write_nifti(world.ctx.workspace.scan_path(OLD[0]), flat)
    result = flagship.run(world.ctx, config_of(steps=1))
    assert "same value" in result.failed[f"flagship/{OLD[0]}"]
    assert result.counts["training_cases"] == 3


def test_a_mix_without_labels_makes_no_model(tmp_path):
    bare = [("phantom_1", class_id) for class_id in CLASSES]
    made = build(tmp_path, ("train", "train", "test"), unknown=bare)
    mix = MixConfig(labelled=0, selective=0, unlabeled=1, replay=0)
    result = flagship.run(made.ctx, config_of(steps=2, mix=mix))
    assert "samples with labels" in result.failed["flagship"]
    assert not of_round(made.ctx, "flagship")
    mix = MixConfig(labelled=(0, 0.1), selective=0, unlabeled=1, replay=0)
    assert not flagship.run(made.ctx, config_of(steps=2, mix=mix)).failed
    made.ctx.catalog.close()


def test_a_patch_that_the_network_cannot_halve_is_told_before_training(world, monkeypatch):
    real = payload.network_config
    deep = {"channels": (4, 4, 4, 4, 4)}
    monkeypatch.setattr(payload, "network_config", lambda n: real(n).model_copy(update=deep))
    for patch in ((16, 24, 32), (16, 16, 16)):
        with pytest.raises(TrainingError, match=r"divisible by 16, one of them at least 32"):
            flagship.run(world.ctx, config_of(patch=patch))


def test_classes_stay_unless_told_otherwise(world, monkeypatch, runs):
    ctx = replace(had(world, monkeypatch), classes=("mandible",))
    flagship.run(ctx, config_of())
    flagship.run(ctx, config_of(keep_classes=False))
    assert [run.classes for run in runs] == [CLASSES, ("mandible",)]


def test_a_class_without_labels_stays_as_the_weights_know_it(world):
    """The round's cases say nothing of it and nothing is replayed: its head stays to the bit."""
    first = world.of_round(1, cohort=frozenset([*OLD, TEST]), classes=CLASSES[:2])
    flagship.run(first, config_of(text="none", weight_decay=0))
    drop = [(case, c) for case in NEW for c in CLASSES[:2]]
    for case, class_id in drop:
        for label in world.ctx.catalog.rows(Label, case_id=case, class_id=class_id):
            said = Decision("", 1, "judge", case, class_id, label.label_id, "remove", "", "t")
            with world.ctx.catalog.write() as writer:
                writer.flag(label.label_id, said, retired=True)
    second = world.of_round(2, cohort=frozenset([*NEW, TEST]), classes=CLASSES[2:])
    config = config_of(text="none", weight_decay=0, ema=0.0, without=("replay",), distill=0.0)
    counts = flagship.run(second, config).counts
    assert counts["classes_only_kept"] == list(CLASSES[:2])
    before, after = (of_round(ctx, "flagship")[0] for ctx in (first, second))
    assert after.classes == list(CLASSES)
    weights = [
        load_bundle(world.ctx.workspace.root / model.path)[1].state_dict()["heads.weight"][:2]
        for model in (before, after)
    ]
    assert torch.equal(*weights)
    anew = flagship.run(second, config.model_copy(update={"warm_start": False})).counts
    assert anew["classes"] == list(CLASSES[2:])
    taught = config_of(text="none", without=("replay",), distill=1.0)
    assert not flagship.run(second, taught).failed


def test_nothing_new_makes_the_memory_the_round(tmp_path, monkeypatch, runs):
    nothing = [(case, c) for case in NEW for c in CLASSES]
    world = build(tmp_path, unknown=nothing)
    flagship.run(had(world, monkeypatch), config_of())
    assert (ids(runs[0].cases), ids(runs[0].memory)) == (list(OLD), [])
    world.ctx.catalog.close()


def test_a_machines_label_is_gold_only_if_people_confirmed_it(world, runs):
    mask = world.truth["phantom_2"]["mandible"]
    world.add_label("phantom_2", "mandible", mask, origin="pseudo", number=1, gold=True)
    assert flagship.run(world.ctx, config_of()).counts["annealing"].startswith("skipped")
    world.add_label("phantom_3", "mandible", mask, origin="revised", number=1, gold=True)
    flagship.run(world.ctx, config_of())
    assert ids(runs[-1].anneal) == ["phantom_3"]
    assert list(runs[-1].anneal[0]["labels"]) == ["mandible"]


def test_gold_of_the_test_split_is_not_annealed_on(world, runs):
    mask = world.truth[TEST]["mandible"]
    world.add_label(TEST, "mandible", ~mask, number=1, gold=True)
    assert flagship.run(world.ctx, config_of()).counts["annealing"].startswith("skipped")


def test_gold_of_a_test_patient_stops_with_its_name(world, runs):
    (scan,) = world.ctx.catalog.rows(Scan, case_id="phantom_2")
    (tested,) = world.ctx.catalog.rows(Scan, case_id=TEST)
    with world.ctx.catalog.write() as writer:
        writer.put(replace(scan, duplicate_group=tested.duplicate_group))
    mask = world.truth["phantom_2"]["mandible"]
    world.add_label("phantom_2", "mandible", mask, origin="revised", number=1, gold=True)
    with pytest.raises(TrainingError, match="test patient") as caught:
        flagship.run(world.ctx, config_of())
    assert caught.value.case_id == "phantom_2"


@pytest.mark.parametrize(
    ("part", "labelled", "others"),
    [
        ("mix", 0.75, {"selective": 0, "unlabeled": 0, "synthetic": 0, "replay": 0.25}),
        ("synthetic", 0.4, {"selective": 0.3, "synthetic": 0, "replay": 0.25}),
        ("selective", 0.55, {"selective": 0, "synthetic": 0.15, "replay": 0.25}),
        ("replay", 0.5, {"selective": 0.3, "synthetic": 0.15, "replay": 0}),
    ],
)
def test_a_part_that_is_switched_off_leaves_its_share_to_labelled(part, labelled, others):
    mix = MixConfig(labelled=0.25, selective=0.3, unlabeled=0.05, synthetic=0.15, replay=0.25)
    found = ablated(config_of(mix=mix, without=(part,))).training.mix
    assert found.labelled == pytest.approx(labelled)
    assert {kind: getattr(found, kind) for kind in others} == others


def test_switches_for_annealing_text_and_schedules():
    config = ablated(config_of(without=("anneal", "text")))
    assert (config.training.anneal.on, config.training.anneal.share) == ("none", 0)
    assert config.text == "none"
    moving = MixConfig(labelled=(0.2, 0.6), replay=(0.5, 0.1))
    assert ablated(config_of(mix=moving, without=("replay",))).training.mix.labelled == 0.7
    assert ablated(flagship_config()) == flagship_config()


def test_the_result_names_what_was_switched_off(world, runs):
    result = flagship.run(world.ctx, config_of(without=("selective",)))
    assert result.counts["without"] == ["selective"]
    assert json.dumps(dict(result.counts))
