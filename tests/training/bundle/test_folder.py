"""Bundles: what goes in comes out, whole or not at all, and tells nothing that it must not."""

import errno
import json

import numpy as np
import pytest
import torch

from tests.training.conftest import tiny
from training.bundle.folder import (
    BundleFacts,
    adopt_bundle,
    load_bundle,
    read_facts,
    weights_sha256,
    write_bundle,
)
from training.config import NetworkConfig
from training.network import build_network
from training.network.heads import GAIN, SEEN
from voxcurate.errors import TrainingError

SMALL = NetworkConfig(architecture="unet", channels=(4, 8), features=4)
TEXT = np.eye(2, 6, dtype=np.float32)


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
        "embedder": "hashing",
        "texts": {"liver": "liver. Large.", "spleen": "spleen. Small."},
        "metrics": {"dsc": 0.9},
        **changes,
    }
    return BundleFacts(**values)


def network(text=TEXT, **changes):
    torch.manual_seed(0)
    made = facts(**changes)
    return build_network(made.network, made.in_channels, made.prior, text)


@pytest.fixture
def bundle(tmp_path):
    write_bundle(tmp_path / "bundle", facts(), network().state_dict())
    return tmp_path / "bundle"


def test_round_trip(bundle):
    found, loaded = load_bundle(bundle)
    assert found == facts()
    assert weights_sha256(loaded.state_dict()) == weights_sha256(network().state_dict())


def test_plain_heads_round_trip(tmp_path):
    plain = {"embedder": "", "texts": {}}
    write_bundle(tmp_path / "bundle", facts(**plain), network(None).state_dict())
    found, loaded = load_bundle(tmp_path / "bundle")
    assert found == facts(**plain)
    assert not loaded.heads.has_text


def test_texts_and_their_vectors_are_kept(bundle):
    text = json.loads((bundle / "text.json").read_text())
    assert text["embedder"] == "hashing"
    assert text["texts"]["spleen"] == "spleen. Small."
    np.testing.assert_array_equal(text["vectors"], TEXT)
    assert torch.equal(load_bundle(bundle)[1].heads.text, torch.from_numpy(TEXT))


def test_metadata_has_what_monai_wants(bundle):
    """The required names of MONAI's schema of 2024-07-25, by hand: it lies in the net."""
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    wanted = {
        "schema", "version", "changelog", "monai_version", "pytorch_version", "numpy_version",
        "required_packages_version", "task", "description", "authors", "copyright",
        "network_data_format",
    }  # fmt: skip
    assert wanted <= set(metadata)
    assert metadata["version"] in metadata["changelog"]
    data = metadata["network_data_format"]
    for each in (data["inputs"]["image"], data["outputs"]["pred"]):
        needed = {
            "type", "format", "num_channels", "spatial_shape", "dtype", "value_range",
            "is_patch_data", "channel_def",
        }  # fmt: skip
        assert needed <= set(each)
        assert len(each["channel_def"]) == each["num_channels"]
    # MONAI Label takes a class's number in the label map from here
    assert data["outputs"]["pred"]["channel_def"] == {
        "0": "background",
        "1": "liver",
        "2": "spleen",
    }


def test_nothing_of_the_machine_is_in_it(tmp_path):
    embedder = tmp_path / "models" / "clinical"
    made = facts(network=SMALL.model_copy(update={"text": str(embedder)}), embedder="clinical")
    write_bundle(tmp_path / "bundle", made, network().state_dict())
    for path in (tmp_path / "bundle").rglob("*"):
        if path.is_file() and path.suffix != ".pt":
            assert str(tmp_path) not in path.read_text()
    assert read_facts(tmp_path / "bundle").network.text == "clinical"


@pytest.mark.parametrize("bad", ["scans/Doe_John", "John Doe", "j.doe@clinic.org", ""])
def test_ids_that_may_name_a_person_are_refused(tmp_path, bad):
    with pytest.raises(TrainingError, match="1 training cases") as caught:
        write_bundle(tmp_path / "b", facts(training_cases=("a", bad)), network().state_dict())
    assert not bad or bad not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_missing_file_is_named(bundle):
    (bundle / "models" / "model.pt").unlink()
    with pytest.raises(TrainingError, match=r"models/model\.pt"):
        load_bundle(bundle)


def test_other_weights_are_refused(bundle):
    other = network(None, prior=(0.1,) * 3)
    torch.save(other.state_dict(), bundle / "models" / "model.pt")
    with pytest.raises(TrainingError, match="do not fit"):
        load_bundle(bundle)


def test_torn_weights_are_refused(bundle):
    path = bundle / "models" / "model.pt"
    whole = path.read_bytes()
    for torn in (whole[: len(whole) // 2], b"", b"no weights"):
        path.write_bytes(torn)
        with pytest.raises(TrainingError, match="weights cannot be read"):
            load_bundle(bundle)


def test_weights_with_flipped_bits_or_no_tensors_are_refused(bundle):
    path = bundle / "models" / "model.pt"
    whole = bytearray(path.read_bytes())
    whole[whole.index(TEXT.tobytes()) + 3] ^= 1  # torch reads that without a word
    path.write_bytes(whole)
    with pytest.raises(TrainingError, match="weights cannot be read"):
        load_bundle(bundle)
    torch.save([1, 2], path)
    with pytest.raises(TrainingError, match="weights cannot be read"):
        load_bundle(bundle)


def test_damaged_facts_are_refused(bundle):
    (bundle / "training.json").write_text("{")
    with pytest.raises(TrainingError, match="damaged"):
        read_facts(bundle)


def _change(path, change):
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_a_bundle_of_the_first_format_loads(tmp_path):
    """Its heads were a convolution without text, and nobody wrote down the modality."""
    plain = network(None)
    state = plain.state_dict()
    write_bundle(tmp_path / "b", facts(embedder="", texts={}), state)
    state["head.weight"] = state.pop("heads.weight")[..., None, None, None]
    state["head.bias"] = state.pop("heads.bias")
    torch.save(state, tmp_path / "b" / "models" / "model.pt")

    def age(metadata):
        metadata["voxcurate_format"] = 1
        for name in ("text", "deep_supervision"):
            del metadata["network"][name]

    _change(tmp_path / "b" / "configs" / "metadata.json", age)
    _change(tmp_path / "b" / "classes.json", lambda v: v.pop("inside"))
    _change(tmp_path / "b" / "preprocessing.json", lambda v: v.pop("modality"))
    (tmp_path / "b" / "text.json").unlink()
    found, loaded = load_bundle(tmp_path / "b")
    assert found.network.text == "none"
    image = torch.randn(1, 5, 16, 16, 16)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(image), plain.eval()(image))


def test_a_bundle_of_the_second_format_gives_the_same_to_the_bit(bundle):
    """Its controller had no scales."""
    made = network()
    with torch.no_grad():
        made.heads.give.weight.normal_(generator=torch.Generator().manual_seed(1))
    state = made.state_dict()
    for name in list(state):
        if name.startswith(("heads.give.", "heads.image.")):
            state[name] = state[name] * (GAIN if "give" in name else SEEN)
    torch.save(state, bundle / "models" / "model.pt")
    _change(bundle / "configs" / "metadata.json", lambda v: v.update(voxcurate_format=2))
    _, loaded = load_bundle(bundle)
    image = torch.randn(1, 5, 16, 16, 16)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(image), made.eval()(image))


def test_a_newer_format_is_named(bundle):
    _change(bundle / "configs" / "metadata.json", lambda v: v.update(voxcurate_format=9))
    with pytest.raises(TrainingError, match="format 9; this version reads up to 3"):
        load_bundle(bundle)


def test_settings_of_another_version_are_named(bundle):
    _change(bundle / "training.json", lambda v: v["config"].update(gone_since=1))
    with pytest.raises(TrainingError, match=r"another version.*gone_since"):
        load_bundle(bundle)


def test_adopting_replaces(bundle, tmp_path):
    target = tmp_path / "models" / "1" / "m"
    adopt_bundle(bundle, target)
    write_bundle(bundle, facts(name="n"), network().state_dict())
    adopt_bundle(bundle, target)
    assert read_facts(target).name == "n"
    assert not bundle.exists()
    assert [path.name for path in target.parent.iterdir()] == ["m"]


def test_a_failed_write_leaves_the_old_bundle(bundle, monkeypatch):
    monkeypatch.setattr("training.bundle.folder.write_text", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_bundle(bundle, facts(name="n"), network().state_dict())
    monkeypatch.undo()
    assert read_facts(bundle).name == "m"
    assert [path.name for path in bundle.parent.iterdir()] == [bundle.name]


def test_a_full_disk_is_told_and_leaves_nothing_beside(bundle, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", str(bundle))

    monkeypatch.setattr("training.bundle.folder.write_text", full)
    with pytest.raises(TrainingError, match="bundle of model n: No space left") as caught:
        write_bundle(bundle, facts(name="n"), network().state_dict())
    assert str(bundle) not in str(caught.value)
    assert read_facts(bundle).name == "m"
    assert [path.name for path in bundle.parent.iterdir()] == [bundle.name]


def test_hash_sees_one_weight():
    state = network().state_dict()
    before = weights_sha256(state)
    state["heads.bias"] = state["heads.bias"] + torch.tensor([0.0, 1e-6])
    assert weights_sha256(state) != before
