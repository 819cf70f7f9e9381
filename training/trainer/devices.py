"""Where a network is trained: device, precision and processes, by Lightning Fabric."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy

from training.config import TrainingConfig
from voxcurate.errors import TrainingError

THREADS = "VOXCURATE_THREADS"
RANKS = "VOXCURATE_RANKS"  # set by the launcher: this process is one of several
NAMES: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}


def use_threads() -> None:
    """As many numerical threads as the executor gave this process."""
    if threads := given_threads():
        torch.set_num_threads(threads)


def given_threads() -> int:
    """Threads that the executor gave this process; 0: it said nothing."""
    given = os.environ.get(THREADS, "")
    return int(given) if given.isdigit() else 0


def pick_device(wanted: str) -> torch.device:
    """``auto`` is CUDA where there is one.

    Raises:
        TrainingError: CUDA is asked for and not there.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device cuda is configured, but there is none")
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wanted)


def pick_precision(wanted: str, device: torch.device) -> str:
    """``auto`` is bf16 on a GPU that has it, fp16 on an older one, and fp32 on a CPU.

    Raises:
        TrainingError: fp16 on a CPU, which has no fast arithmetic for it.
    """
    if wanted == "fp16" and device.type == "cpu":
        raise TrainingError("precision fp16 needs a GPU: want fp32 or bf16 on a CPU")
    if wanted != "auto":
        return wanted
    if device.type != "cuda":
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"


def is_rank() -> bool:
    """Whether this process is one of several that train one network."""
    return bool(os.environ.get(RANKS))


def make_fabric(config: TrainingConfig) -> Fabric:
    """Fabric for this process: alone, or one of several as `training.trainer.ranks` starts them.

    Alone it ignores SLURM and torchrun variables around it: otherwise one training within a larger
    job would wait for processes that nobody starts.

    Raises:
        TrainingError: the device or precision cannot be had here.
    """
    device = pick_device(config.device)
    settings: dict[str, Any] = {
        "accelerator": device.type,
        "precision": NAMES[pick_precision(config.precision, device)],
    }
    if not is_rank():
        return Fabric(devices=1, plugins=[LightningEnvironment()], **settings)
    compute = config.compute
    wanted, found = compute.devices * compute.nodes, os.environ.get("WORLD_SIZE", "")
    if found != str(wanted):
        raise TrainingError(f"want {wanted} processes, found {found or 'no word of how many'}")
    fabric = Fabric(
        devices=compute.devices,
        num_nodes=compute.nodes,
        plugins=[TorchElasticEnvironment()],  # torchrun's variables, whoever set them
        # the head that restores scans is idle in a step without such a sample
        strategy=DDPStrategy(find_unused_parameters=True),
        **settings,
    )
    fabric.launch()  # the processes are there: this joins them
    if config.batch % fabric.world_size:
        raise TrainingError(
            f"batch {config.batch} cannot be shared by {fabric.world_size} processes: want a "
            "multiple"
        )
    return fabric


@contextmanager
def settled(config: TrainingConfig, device: torch.device) -> Iterator[None]:
    """Torch's switches for the time of a run: exact, or fast."""
    cudnn = torch.backends.cudnn
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        cudnn.benchmark,
        cudnn.deterministic,
        torch.get_float32_matmul_precision(),
    )
    exact = config.compute.deterministic
    if exact:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        torch.use_deterministic_algorithms(exact, warn_only=True)
        cudnn.benchmark, cudnn.deterministic = not exact, exact
        if device.type == "cuda" and not exact:
            torch.set_float32_matmul_precision("high")
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        cudnn.benchmark, cudnn.deterministic = before[2], before[3]
        torch.set_float32_matmul_precision(before[4])
