"""Bundles: what goes in comes out, and MONAI's own parser reads them."""

import json

import pytest
import torch

from tests.training.conftest import tiny
from training.bundle import (
    BundleFacts,
    adopt_bundle,
    load_bundle,
    read_facts,
    weights_sha256,
    write_bundle,
)
from training.config import NetworkConfig, network_config
from training.networks import build_network, count_parameters, grow_head
from voxcurate.errors import ConfigError, TrainingError

SMALL = NetworkConfig(architecture="unet", channels=(4, 8), features=4)


def facts(**changes):
    values = {
        "name": "m",
        "model_id": "abc",
        "classes": ("liver", "spleen"),
        "spacing": (4.0, 4.0, 5.0),
        "network": SMALL,
        "training": tiny(),
        "training_cases": ("a", "b"),
        "training_patients": ("p",),
        "prior": (0.02, 0.001),
        "licence": "CC0",
        "fold": 1,
        **changes,
    }
    return BundleFacts(**values)


def network(**changes):
    torch.manual_seed(0)
    made = facts(**changes)
    return build_network(made.network, made.in_channels, made.prior)


@pytest.fixture
def bundle(tmp_path):
    write_bundle(tmp_path / "bundle", facts(), network().state_dict())
    return tmp_path / "bundle"


def test_round_trip(bundle):
    found, loaded = load_bundle(bundle)
    assert found == facts()
    assert weights_sha256(loaded.state_dict()) == weights_sha256(network().state_dict())


def test_monai_reads_it(bundle):
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(bundle / "configs" / "inference.json")
    parser["bundle_root"] = str(bundle)
    made = parser.get_parsed_content("network_def")
    parser.get_parsed_content("load")
    image = torch.zeros(1, facts().in_channels, 16, 16, 16)
    _, ours = load_bundle(bundle)
    with torch.no_grad():
        torch.testing.assert_close(made.eval()(image), ours.eval()(image))
    assert parser.get_parsed_content("inferer").roi_size == [16, 16, 16]


def test_metadata_has_what_monai_wants(bundle):
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    wanted = {"version", "monai_version", "task", "network_data_format", "changelog", "schema"}
    assert wanted <= set(metadata)
    assert metadata["network_data_format"]["outputs"]["pred"]["channel_def"]["1"] == "spleen"


def test_missing_file_is_named(bundle):
    (bundle / "models" / "model.pt").unlink()
    with pytest.raises(TrainingError, match=r"models/model\.pt"):
        load_bundle(bundle)


def test_other_weights_are_refused(bundle):
    torch.save(network(prior=(0.1,) * 3).state_dict(), bundle / "models" / "model.pt")
    with pytest.raises(TrainingError, match="do not fit"):
        load_bundle(bundle)


def test_damaged_facts_are_refused(bundle):
    (bundle / "training.json").write_text("{")
    with pytest.raises(TrainingError, match="damaged"):
        read_facts(bundle)


def test_adopting_replaces(bundle, tmp_path):
    target = tmp_path / "models" / "1" / "m"
    adopt_bundle(bundle, target)
    write_bundle(bundle, facts(name="n"), network().state_dict())
    adopt_bundle(bundle, target)
    assert read_facts(target).name == "n"
    assert not bundle.exists()


def test_hash_sees_one_weight():
    state = network().state_dict()
    before = weights_sha256(state)
    state["head.bias"] = state["head.bias"] + torch.tensor([0.0, 1e-6])
    assert weights_sha256(state) != before


def test_heads_start_at_the_prior():
    made = network()
    assert torch.sigmoid(made.head.bias).tolist() == pytest.approx([0.02, 0.001], rel=1e-4)


def test_heads_move_with_their_class():
    state = network().state_dict()
    old = {k: v.clone() for k, v in state.items()}
    grow_head(state, ["liver", "spleen"], ["pancreas", "spleen", "liver"])
    assert torch.equal(state["head.weight"][1], old["head.weight"][1])
    assert torch.equal(state["head.weight"][2], old["head.weight"][0])
    assert not state["head.weight"][0].any()
    assert torch.sigmoid(state["head.bias"][0]).item() < 0.02


@pytest.mark.parametrize("name", ["unet_small", "dynunet_small", "segresnet_small"])
def test_small_networks_keep_the_patchs_shape(name):
    made = build_network(network_config(name), 5, (0.01, 0.02, 0.03))
    with torch.no_grad():
        assert made(torch.zeros(1, 5, 16, 24, 32)).shape == (1, 3, 16, 24, 32)
    assert count_parameters(made) < 1_500_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "side"), [("unet_large", 32), ("segresnet_large", 32), ("mednext", 32)]
)
def test_large_networks_can_be_built(name, side):
    made = build_network(network_config(name), 5, (0.01,)).eval()
    with torch.no_grad():
        assert made(torch.zeros(1, 5, side, side, side)).shape == (1, 1, side, side, side)


def test_unknown_network_is_a_config_error():
    with pytest.raises(ConfigError, match=r"nothing_small\.yaml"):
        network_config("nothing_small")
