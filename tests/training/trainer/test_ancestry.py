"""Beginnings: texts are embedded once, weights are taken over or the reason is on record."""

import json

import pytest
import torch

from tests.training.bundle.test_folder import facts as bundle_facts
from tests.training.conftest import CLASSES, build, flagship_config
from training.bundle.folder import read_facts, write_bundle
from training.config import NetworkConfig
from training.rounds import flagship
from training.rounds.models import of_round
from training.trainer.ancestry import begin
from voxcurate.errors import ConfigError

TEXTS = {"liver": "liver. Large.", "spleen": "spleen. Small.", "pancreas": "pancreas. Long."}


def payload(warm="", **texts):
    return {"name": "m", "seed": 3, "warm": str(warm), "texts": {**TEXTS, **texts}}


def fresh(**changes):
    return bundle_facts(embedder="", texts={}, **changes)


@pytest.fixture
def before(tmp_path):
    """A model of liver and spleen."""
    begun = begin(payload(), fresh())
    write_bundle(tmp_path / "before", begun.facts, begun.network.state_dict())
    return tmp_path / "before"


def test_texts_are_embedded_and_told():
    begun = begin(payload(), fresh())
    assert begun.facts.embedder == "hashing"
    assert begun.facts.texts == {c: TEXTS[c] for c in ("liver", "spleen")}
    assert begun.network.heads.text.norm(dim=1).tolist() == pytest.approx([1, 1])
    assert (begun.ancestor, dict(begun.inherited)) == (None, {})


def test_without_text_the_heads_are_plain():
    plain = NetworkConfig(architecture="unet", channels=(4, 8), features=4, text="none")
    begun = begin({**payload(), "texts": {}}, fresh(network=plain))
    assert not begun.network.heads.has_text
    assert begun.facts.embedder == ""


def test_unknown_embedder_is_named():
    other = NetworkConfig(architecture="unet", channels=(4, 8), features=4, text="word2vec")
    with pytest.raises(ConfigError, match="word2vec"):
        begin(payload(), fresh(network=other))


def test_weights_and_old_texts_are_taken_over(before):
    grown = fresh(classes=("pancreas", "liver", "spleen"), prior=(0.01, 0.02, 0.001))
    begun = begin(payload(before, liver="liver. Described anew."), grown)
    assert begun.ancestor.classes == ("liver", "spleen")
    assert set(begun.inherited["started"]) == {"pancreas"}
    assert begun.facts.texts["liver"] == TEXTS["liver"]
    old = torch.load(before / "models" / "model.pt", weights_only=True)
    new = begun.network.state_dict()
    assert torch.equal(new["heads.text"][1:], old["heads.text"])
    assert torch.equal(new["heads.weight"][1:], old["heads.weight"])


def test_another_backbone_begins_anew_on_record(before, caplog):
    other = NetworkConfig(architecture="unet", channels=(4, 16), features=4)
    begun = begin(payload(before), fresh(network=other))
    assert begun.ancestor is None
    assert "shape of backbone" in begun.inherited["why_not"]
    assert "begins anew" in caplog.text


def test_another_number_of_windows_begins_anew_on_record(before):
    grid = fresh().training.grid.model_copy(update={"windows": ((-160.0, 240.0),)})
    training = fresh().training.model_copy(update={"grid": grid})
    begun = begin(payload(before), fresh(training=training))
    assert begun.ancestor is None
    assert begun.inherited["why_not"]


def test_a_trained_flagship_tells_its_texts(tmp_path):
    world = build(tmp_path)
    flagship.run(world.ctx, flagship_config(steps=2))
    (model,) = of_round(world.ctx, "flagship")
    found = read_facts(world.ctx.workspace.root / model.path)
    assert found.embedder == "hashing"
    assert set(found.texts) == set(CLASSES)
    assert found.texts["parotid_left"].startswith("left parotid gland. ")
    assert found.modality == "CT"
    assert model.facts["inherited"] == {}
    everything = json.dumps(model.facts)
    assert str(tmp_path) not in everything
    world.ctx.catalog.close()
