"""Steps per second of training: ours against code as a competent MONAI user writes it.

Both run in this process, in turns, on the same scans, network, patch, batch and optimiser, with
crops around structures, rotation, scaling and intensity changes at every sample. The peer caches
whole scans in memory (`CacheDataset`) and cuts in `DataLoader`, with workers if asked for. Its loss
is MONAI's `DiceCELoss`.

    OMP_NUM_THREADS=2 python -m benchmarks.training_speed --synthetic
    python -m benchmarks.training_speed --device cuda --network segresnet --patch 128 --workers 8
"""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console

from benchmarks.training_peer import CLASSES, Peer
from training.config import GridConfig, NetworkConfig, TrainingConfig, network_config
from training.data.batches import Loader
from training.data.cases import CaseSpec, LabelSpec, PreparedCase, ensure_case, load_case
from training.mix.sampling import Pools, Sampler
from training.mix.schedule import plan_of
from training.network import build_network
from training.trainer.loop import Training
from voxcurate.labels import write_mask
from voxcurate.nifti import read_nifti, write_nifti
from voxcurate.volume import Volume

SPACING = (4.0, 4.0, 3.0)


def main(
    synthetic: Annotated[bool, typer.Option(help="spheres instead of VOXCURATE_DATA")] = False,
    cases: int = 8,
    turns: int = 3,
    steps: Annotated[int, typer.Option(help="per turn")] = 6,
    batch: int = 2,
    patch: Annotated[int, typer.Option(help="side; 0: 64 x 48 x 64")] = 0,
    network: str = "unet",
    precision: str = "auto",
    device: str = "auto",
    workers: Annotated[int, typer.Option(help="processes of the peer's loader")] = 0,
    ours_first: bool = True,
) -> None:
    """Print steps per second of both and their ratio, and the time to the first steps."""
    epoch = -(-cases // batch)  # of the peer; we have none, and make as many steps
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = _synthetic(folder, cases) if synthetic else _openkbp(folder, cases)
        config = TrainingConfig(
            steps=turns * steps + epoch + 2,
            batch=batch,
            patch=(patch,) * 3 if patch else (64, 48, 64),
            grid=GridConfig(spacing_mm=SPACING),
            device=device,
            precision=precision,
            log_every=1,
            checkpoint_every=10**9,
        )
        settings = _network(network, device)
        jobs: dict[str, Callable[[], Any]] = {
            "ours": lambda: Ours(folder, files, config, settings),
            "monai": lambda: Peer(files, config, settings, SPACING, workers),
        }
        # its workers are forked before we start threads: a lock held at that moment stays held
        order = list(jobs) if ours_first and not workers else list(jobs)[::-1]
        made, begun, second = {}, {}, {}
        for side in order:
            start = perf_counter()
            made[side] = jobs[side]()
            made[side].steps(1)
            begun[side] = perf_counter() - start
            made[side].steps(epoch)
            second[side] = perf_counter() - start
        losses: dict[str, list[float]] = {side: [] for side in order}
        seconds: dict[str, list[float]] = {side: [] for side in order}
        memory = {}
        for _ in range(turns):
            for side in order:
                _forget_peak()
                start = perf_counter()
                losses[side] += made[side].steps(steps)
                seconds[side].append((perf_counter() - start) / steps)
                memory[side] = _peak_mb()
        again = {}
        for side in order:
            made[side].close()
        for side in order:
            start = perf_counter()
            other = jobs[side]()
            other.steps(1)
            again[side] = perf_counter() - start
            other.close()
        shapes = {side: made[side].shape for side in order}
    times = {"to_first_step_s": begun, "to_second_epoch_s": second, "to_first_step_again_s": again}
    _tell(times, seconds, losses, memory, shapes)


class Ours:
    """Our loop on prepared cases."""

    def __init__(
        self,
        folder: Path,
        files: list[dict[str, str]],
        config: TrainingConfig,
        settings: NetworkConfig,
    ) -> None:
        prepared = [_prepared(folder, n, case, config) for n, case in enumerate(files)]
        plan = plan_of(config.steps, config, [])
        sampler = Sampler(prepared, Pools(len(prepared)), plan, config, 0)
        swap = np.arange(len(CLASSES))
        torch.manual_seed(0)
        self._run = folder / f"run{len(list(folder.glob('run*')))}"
        self._training = Training(
            build_network(settings, 5, [0.01] * len(CLASSES)),
            Loader(prepared, [], {}, swap, sampler, config),
            sampler,
            plan,
            config,
            folder=self._run,
            log_path=self._run / "log.jsonl",
        )
        batch = self._training.loader.batch(0)
        self.shape = [tuple(batch.image.shape), tuple(batch.target.shape)]
        self._stepping = self._training.stepwise()

    def steps(self, n: int) -> list[float]:
        """Losses of so many steps more."""
        return [next(self._stepping)["loss"] for _ in range(n)]

    def close(self) -> None:
        """Let go of the threads."""
        self._stepping.close()


def _prepared(folder: Path, n: int, files: dict[str, str], config: TrainingConfig) -> PreparedCase:
    labels = {c: LabelSpec(f"{n}{c}", files[c], "", "original") for c in CLASSES if c in files}
    spec = CaseSpec(f"case_{n}", files["image"], f"sha{n}", "CT", labels)
    folders = ensure_case(spec, CLASSES, SPACING, config.grid, folder / "cache")
    return load_case(spec, CLASSES, folders, config.label_weights)


def _network(name: str, device: str) -> NetworkConfig:
    on_gpu = device == "cuda"
    names = {
        "unet": "unet_large" if on_gpu else "unet_small",
        "segresnet": "segresnet_large" if on_gpu else "segresnet_small",
        "swinunetr": "swinunetr",
    }
    return network_config(names.get(name, name))


def _openkbp(folder: Path, n: int) -> list[dict[str, str]]:
    root = Path(os.environ.get("VOXCURATE_DATA", "../shared/data")) / "openkbp_ct"
    files: list[dict[str, str]] = []
    for k, case in enumerate(sorted(root.glob("pt_*"))):
        organs = read_nifti(case / "organs.nii.gz")
        if len(files) == n or not np.isin(range(1, len(CLASSES) + 1), organs.array).all():
            continue
        own = {"image": str(case / "ct.nii.gz")}
        for value, class_id in enumerate(CLASSES, start=1):
            mask = organs.array == value
            own[class_id] = write_mask(folder, f"{k}_{class_id}", mask, organs.affine).temporary
        files.append(own)
    if not files:
        raise typer.BadParameter("no openkbp_ct in VOXCURATE_DATA: try --synthetic")
    return files


def _synthetic(folder: Path, n: int) -> list[dict[str, str]]:
    shape, affine = (128, 112, 96), np.diag([3.0, 3.2, 2.5, 1.0])
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    files = []
    for k in range(n):
        generator = np.random.default_rng(k)
        hu = generator.normal(-1000, 10, shape)
        inside = (((grid - np.array(shape) / 2) / (np.array(shape) * 0.45)) ** 2).sum(-1) < 1
        hu[inside] = generator.normal(30, 15, int(inside.sum()))
        own = {"image": str(folder / f"ct{k}.nii.gz")}
        for m, class_id in enumerate(CLASSES):
            centre = np.array(shape) * (0.35 + 0.3 * generator.random(3))
            mask = ((grid - centre) ** 2).sum(-1) < (6 + m) ** 2
            hu[mask] = 100 + 60 * m
            own[class_id] = write_mask(folder, f"{k}_{class_id}", mask, affine).temporary
        write_nifti(Path(own["image"]), Volume(np.rint(hu).astype(np.int16), affine))
        files.append(own)
    return files


def _forget_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def _peak_mb() -> float | None:
    return torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None


def _tell(
    times: dict[str, dict[str, float]],
    seconds: dict[str, list[float]],
    losses: dict[str, list[float]],
    memory: dict[str, float | None],
    shapes: dict[str, Any],
) -> None:
    if shapes["ours"] != shapes["monai"]:
        raise SystemExit(f"unequal inputs: {shapes}")
    falls = {}
    for side, values in losses.items():
        third = max(1, len(values) // 3)
        falls[side] = [float(np.mean(values[:third])), float(np.mean(values[-third:]))]
    best = {side: min(values) for side, values in seconds.items()}
    told = {
        "input": str(shapes["ours"]),
        "loss_first_and_last_third": falls,
        "steps_per_s": {side: round(1 / value, 3) for side, value in best.items()},
        "ratio_of_best": round(best["monai"] / best["ours"], 3),
        "ratios_by_turn": [
            round(b / a, 3) for a, b in zip(seconds["ours"], seconds["monai"], strict=True)
        ],
        **{
            name: {side: round(value, 2) for side, value in own.items()}
            for name, own in times.items()
        },
        "gpu_peak_mb": memory,
    }
    Console().print_json(json.dumps(told))
    for side, (first, last) in falls.items():
        if not last < first:
            raise SystemExit(f"{side}: the loss does not fall: want more steps")


if __name__ == "__main__":
    typer.run(main)
