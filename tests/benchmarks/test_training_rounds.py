"""The benchmark of two rounds: its tables by hand, its masked loss, and all of it at tiny scale."""

import json

import numpy as np
import pytest
import torch

from benchmarks.training_plain import masked_loss
from benchmarks.training_rounds import Settings, main, pieces
from benchmarks.training_rounds_tables import ablation_table, comparison_table, over_seeds
from tests.training.conftest import CLASSES, phantom
from voxcurate.nifti import write_nifti
from voxcurate.volume import Volume

PATIENTS = {f"case_{n}": f"person_{n}" for n in range(4)}


def piece(name, *values):
    """Scores of one class in four cases."""
    table = {"liver": dict(zip(PATIENTS, values, strict=True))}
    return {"models": {name: {"scores": {"dsc": table, "nsd": table}}}, "patients": PATIENTS}


def test_differences_are_paired_over_the_seeds_that_both_have():
    done = {
        "s0_plain": piece("plain MONAI U-Net", 0.5, 0.6, 0.7, 0.8),
        "s0_round2": piece("flagship of round 2", 0.6, 0.7, 0.8, 0.9),
        "s1_round2": piece("flagship of round 2", 0.8, 0.9, 1.0, 0.9),
    }
    table = comparison_table(done).splitlines()
    assert table[2].startswith("| plain MONAI U-Net | 1 | 0.650 |")
    assert "| +0.100 | +0.100 to +0.100 |" in table[2]
    assert table[3].startswith("| flagship of round 2 | 2 | 0.825 |")


def test_an_ablation_stands_beside_the_whole():
    done = {
        "s0_round2": piece("flagship of round 2", 0.6, 0.7, 0.8, 0.9),
        "s0_without_mix": piece("without mix", 0.5, 0.6, 0.7, 0.8),
    }
    table = ablation_table(done, {"replay": "n/a: why"})
    assert "| nothing | 0.750 | | |" in table
    assert "| mix | 0.650 | -0.100 | -0.100 to -0.100 |" in table
    assert "| replay | n/a: why | | |" in table


def test_a_case_counts_where_every_seed_has_it():
    one = {"dsc": {"liver": {"a": 0.2, "b": 0.4}}}
    two = {"dsc": {"liver": {"a": 0.4}}}
    assert over_seeds({"s0": one, "s1": two}, "dsc") == {"liver": {"a": pytest.approx(0.3)}}


def test_the_plain_peer_takes_unknown_classes_for_background():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 4, 5, 6, generator=generator)
    target = (torch.rand(2, 3, 4, 5, 6, generator=generator) > 0.5).float()
    known = torch.tensor([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]])[:, :, None, None, None]
    loss = masked_loss(logits, target, known)
    changed, swapped = target.clone(), logits.clone()
    changed[:, 1] = 1 - changed[:, 1]
    swapped[:, [0, 2]] = logits[:, [2, 0]]  # from background to the class that nobody drew
    assert masked_loss(logits, changed, known) == loss
    assert masked_loss(swapped, target, known) == pytest.approx(float(loss), rel=1e-5)
    changed[0, 0] = 1 - changed[0, 0]
    assert masked_loss(logits, changed, known) != loss


def test_what_is_left_is_listed_with_minutes(tmp_path, capsys):
    (tmp_path / "s0_plain.json").write_text(json.dumps(piece("plain MONAI U-Net", 0, 0, 0, 0)))
    assert main(["--folder", str(tmp_path), "--list", "--seeds", "2"]) == 0
    said = capsys.readouterr().out
    assert "s0_plain" not in said
    assert all(name in said for name in pieces(2)[1:])
    assert said.rstrip().endswith("min")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_whole_of_it_at_tiny_scale_goes_on_where_it_was(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    data = tmp_path / "data"
    for number in range(8):
        volume, masks = phantom(number)
        labels = np.zeros(volume.shape, np.uint8)
        for value, class_id in enumerate(CLASSES, start=1):
            labels[masks[class_id]] = value
        write_nifti(data / f"p{number}" / "ct.nii.gz", volume)
        write_nifti(data / f"p{number}" / "organs.nii.gz", Volume(labels, volume.affine))
    (tmp_path / "source.yaml").write_text(
        "name: phantoms\nscans: '{case}/ct.nii.gz'\nmasks:\n"
        "- path: '{case}/organs.nii.gz'\n"
        "  labels: {1: parotid_left, 2: parotid_right, 3: mandible}\n"
    )
    sizes = Settings(
        steps=2, batch=1, patch=(16, 16, 16), spacing_mm=(8.0, 8.0, 8.0), zoo=("unet_small",),
        device="cpu",
    )  # fmt: skip
    words = ["--folder", str(tmp_path / "f"), "--data", str(data), "--source",
             str(tmp_path / "source.yaml"), "--seeds", "1"]  # fmt: skip
    wanted = [w for name in pieces(1)[:4] for w in ("--only", name)]
    assert main([*words, *wanted, "--only", "s0_without_mix"], sizes) == 0
    said = capsys.readouterr().out
    for name in ("plain MONAI U-Net", "cold start: unet_small", "flagship of round 1",
                 "flagship of round 2", "round 2 tuned from round 1", "| mix |"):  # fmt: skip
        assert name in said
    faults = json.loads((tmp_path / "f" / "seed_0" / "faults.json").read_text())
    assert faults["missing"]
    told = json.loads((tmp_path / "f" / "s0_round2.json").read_text())["models"]
    (flagship,) = told.values()
    tuned = json.loads((tmp_path / "f" / "s0_tuned.json").read_text())["models"]
    assert [one["steps"] for one in (flagship, *tuned.values())] == [2, 2]
    assert [one["warm_started"] for one in tuned.values()] == [True]
    assert flagship["warm_started"] is False
    plain = json.loads((tmp_path / "f" / "s0_plain.json").read_text())["models"]
    (peer,) = plain.values()
    cases = {c for t in flagship["scores"]["dsc"].values() for c in t}
    assert cases == {c for t in peer["scores"]["dsc"].values() for c in t}
    before = (tmp_path / "f" / "s0_round2.json").stat().st_mtime_ns
    assert main([*words, *wanted], sizes) == 0
    assert (tmp_path / "f" / "s0_round2.json").stat().st_mtime_ns == before
