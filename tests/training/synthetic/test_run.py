"""A flagship that learns from synthetic tumours, from the catalog to the model's facts."""

import dataclasses

import numpy as np
import pytest

from tests.training.conftest import build, flagship_config
from training.config import MixConfig
from training.rounds import flagship
from training.synthetic.config import SyntheticConfig
from training.synthetic.health import Asked
from voxcurate.catalog import FindingRow, Label, Model, Reading, Report
from voxcurate.classes import ClassInfo, Vocabulary, load_vocabulary

pytestmark = pytest.mark.slow
LESION = ClassInfo(id="parotid_tumor", inside="parotid_left", lesion=True)
ASKED = {"parotid_tumor": Asked(("parotid_lesion",), ("parotid_lesion",))}


def say(world, case, value):
    with world.ctx.catalog.write() as writer:
        writer.add(Report(f"r{case}", case, "p", "s", "text"))
        writer.put(Reading(f"r{case}", "c", "rules", "read", 1))
        writer.put(FindingRow(f"r{case}", "parotid_lesion", case, value, None, "", "", "s", "",
                              1.0, "rules", 1))  # fmt: skip


@pytest.fixture
def world(tmp_path):
    made = build(tmp_path)
    words = Vocabulary([*load_vocabulary(), LESION])
    classes = (*made.ctx.classes, "parotid_tumor")
    made.ctx = dataclasses.replace(made.ctx, vocabulary=words, classes=classes)
    ill = made.truth["phantom_0"]["parotid_left"].copy()
    ill[: np.argwhere(ill)[:, 0].mean().astype(int)] = False
    made.add_label("phantom_0", "parotid_tumor", ill)  # a real one, so that the class is trained
    empty = np.zeros_like(ill)
    for case in ("phantom_1", "phantom_2", "phantom_3"):
        made.add_label(case, "parotid_tumor", empty)
    yield made
    made.ctx.catalog.close()


def settings():
    return flagship_config(
        steps=3,
        mix=MixConfig(labelled=0, selective=0, replay=0, synthetic=1),
        synthetic=SyntheticConfig(mass_effect=0.0, smallest_mm=10.0, several=0.0),
    )


def trained(world, monkeypatch):
    """Runs the stage; gives the payload's proofs and the model."""
    from training.rounds import runs

    seen = {}
    original = runs.payload_of

    def spy(*args, **more):
        seen.update(original(*args, **more))
        return seen

    monkeypatch.setattr(runs, "payload_of", spy)
    result = flagship.run(world.ctx, settings(), ASKED)
    assert not result.failed
    (model,) = world.ctx.catalog.rows(Model)
    return seen["tumours"]["cases"], model


def test_from_the_catalog_to_the_model(world, monkeypatch):
    say(world, "phantom_1", "no")
    say(world, "phantom_2", "yes")
    before = len(world.ctx.catalog.rows(Label))
    proofs, model = trained(world, monkeypatch)
    assert proofs == {
        "phantom_1": {"parotid_tumor": "label"},
        "phantom_3": {"parotid_tumor": "label"},
    }
    assert model.facts["synthetic_tumours"]["parotid_tumor"] >= 1
    assert len(world.ctx.catalog.rows(Label)) == before  # they never become labels
    assert not [x for x in world.ctx.catalog.rows(Label) if x.origin == "synthetic"]


def test_every_report_speaks_of_one_so_there_are_none(world, monkeypatch):
    for case in ("phantom_1", "phantom_2", "phantom_3"):
        say(world, case, "yes")
    proofs, model = trained(world, monkeypatch)
    assert proofs == {}
    assert model.facts["synthetic_tumours"] == {}
