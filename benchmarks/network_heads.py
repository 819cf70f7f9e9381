"""Heads from text against plain heads: what a step costs, and how fast they learn.

Run: ``python -m benchmarks.network_heads`` (2 minutes on two quiet cores). 12 hippocampus MR
volumes train, 12 others are scored; both start from the same backbone and see the same batches.
Every second voxel is used. Prints JSON: mean Dice of the scored volumes along the way, per seed.
With ``--cost`` instead: processor seconds per step on patches of 48 voxels a side with 2, 7, 25
classes (medians of steps of both variants in turn).
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.config import NetworkConfig, network_config
from training.network import SegmentationNet, build_network, place
from training.network.text import class_texts, embed_classes, make_embedder
from training.trainer.losses import segmentation_loss
from voxcurate.classes import load_vocabulary
from voxcurate.nifti import read_nifti

CLASSES = ("anterior_hippocampus", "posterior_hippocampus")
SIDES = (24, 32, 24)  # every second voxel
WINDOWS, BATCH, RATE = 2, 2, 3e-3
PRIOR = (0.02, 0.02)


def main() -> int:
    """Train both variants for each seed, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("VOXCURATE_DATA", "../shared/data")) / "msd_hippocampus_mr"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--network", default="unet_small")
    parser.add_argument("--embedder", default="hashing")
    parser.add_argument("--steps", type=int, default=90)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", type=int, default=12)
    parser.add_argument("--cost", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.cost:
        sys.stdout.write(json.dumps(_cost(given), indent=1) + "\n")
        return 0
    files = sorted((given.data / "images").glob("*.nii.gz"))[: 2 * given.cases]
    volumes = [_case(path, given.data / "labels" / path.name) for path in files]
    seen, held = volumes[::2], volumes[1::2]
    runs = [_run(given, seed, seen, held) for seed in range(given.seeds)]
    result = {
        "network": given.network,
        "steps": given.steps,
        "dice": {name: [run[name] for run in runs] for name in ("plain", "text")},
    }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0


def _run(given: argparse.Namespace, seed: int, seen: list[Any], held: list[Any]) -> dict[str, Any]:
    config = network_config(given.network)
    texts = list(class_texts(CLASSES, load_vocabulary()).values())
    vectors = embed_classes(make_embedder(given.embedder), texts)
    networks = {"plain": _network(config, None, seed), "text": _network(config, vectors, seed)}
    shared = networks["plain"].state_dict()
    networks["text"].load_state_dict(shared, strict=False)
    parts = {
        name: (network, torch.optim.AdamW(network.parameters(), lr=RATE))
        for name, network in networks.items()
    }
    found: dict[str, Any] = {name: {} for name in networks}
    generator = np.random.default_rng(seed)
    for step in range(given.steps):
        picks = generator.integers(len(seen), size=BATCH)
        image, target = (torch.stack([seen[n][k] for n in picks]) for k in (0, 1))
        image = image.contiguous(memory_format=torch.channels_last_3d)
        speed = RATE * min(1.0, (step + 1) / 5) * 0.5 * (1 + np.cos(np.pi * step / given.steps))
        for name, (network, optimizer) in parts.items():
            optimizer.param_groups[0]["lr"] = speed
            _step(network, optimizer, image, target)
            if (step + 1) % (given.steps // 3) == 0:
                found[name][step + 1] = _dice(network.eval(), held)
    return found


def _step(network: SegmentationNet, optimizer: Any, image: torch.Tensor, target: Any) -> None:
    logits = network.heads(network.train().features(image)[0])
    weight = torch.ones(len(image), target.shape[1], 1, 1, 1)
    loss, _ = segmentation_loss(logits, target, weight)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()


def _cost(given: argparse.Namespace) -> dict[str, Any]:
    config, found = network_config(given.network), {}
    image = torch.randn(1, WINDOWS + 3, 48, 48, 48).contiguous(memory_format=torch.channels_last_3d)
    for n in (2, 7, 25):
        target = (torch.rand(1, n, 48, 48, 48) > 0.95).float()
        vectors = np.random.default_rng(0).normal(size=(n, 512)).astype(np.float32)
        parts = {}
        for name, own in (("plain", None), ("text", vectors)):
            network = build_network(config, WINDOWS + 3, [0.05] * n, own)
            placed = place(network, torch.device("cpu"))
            parts[name] = (placed, torch.optim.AdamW(placed.parameters(), lr=RATE))
        times: dict[str, list[float]] = {name: [] for name in parts}
        for _ in range(given.steps):
            for name, (network, optimizer) in parts.items():
                start = time.process_time()
                _step(network, optimizer, image, target)
                times[name].append(time.process_time() - start)
        found[f"{n} classes"] = {
            name: round(statistics.median(own[1:]), 3) for name, own in times.items()
        }
    return found


def _network(config: NetworkConfig, vectors: Any, seed: int) -> SegmentationNet:
    torch.manual_seed(seed)
    return place(build_network(config, WINDOWS + 3, PRIOR, vectors), torch.device("cpu"))


@torch.no_grad()
def _dice(network: SegmentationNet, held: list[Any]) -> float:
    scores = []
    for image, target in held:
        found = network(image[None])[0] > 0
        both = (found & (target > 0)).sum(dim=(1, 2, 3))
        total = found.sum(dim=(1, 2, 3)) + (target > 0).sum(dim=(1, 2, 3))
        scores.append((2 * both / total.clamp_min(1)).mean().item())
    return round(float(np.mean(scores)), 4)


def _case(image: Path, label: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """A volume in the middle of `SIDES`: two windows and coordinates, and its masks."""
    array = read_nifti(image).array[::2, ::2, ::2].astype(np.float32)
    low, high = np.percentile(array, (1, 99))
    array = np.clip((array - low) / max(high - low, 1e-6), 0, 1) * 2 - 1
    labels = read_nifti(label).array[::2, ::2, ::2]
    masks = np.stack([labels == n + 1 for n in range(len(CLASSES))])
    inputs = np.full((WINDOWS + 3, *SIDES), -1.0, dtype=np.float32)
    target = np.zeros((len(CLASSES), *SIDES), dtype=np.float32)
    own = [slice(max(0, (n - s) // 2), None) for n, s in zip(array.shape, SIDES, strict=True)]
    array, masks = array[tuple(own)], masks[(slice(None), *own)]
    kept = [min(n, s) for n, s in zip(array.shape, SIDES, strict=True)]
    array = array[tuple(slice(0, n) for n in kept)]
    box = tuple(slice((s - n) // 2, (s - n) // 2 + n) for n, s in zip(kept, SIDES, strict=True))
    inputs[(slice(0, WINDOWS), *box)] = np.stack([array, np.minimum(array * 2, 1)])
    target[(slice(None), *box)] = masks[(slice(None), *(slice(0, n) for n in kept))]
    inputs[WINDOWS:] = np.stack(np.meshgrid(*(np.linspace(-1, 1, s) for s in SIDES), indexing="ij"))
    return torch.from_numpy(inputs), torch.from_numpy(target)


if __name__ == "__main__":
    raise SystemExit(main())
