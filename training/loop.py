"""The training loop: explicit, budgeted in steps, resumable to the bit.

A run killed at any point and started again ends with the weights of an undisturbed one (same
machine, same number of threads): each step's random numbers come from (seed, step), and a
checkpoint holds weights, averaged weights, optimiser and sampler.
"""

import json
import logging
import math
import os
import time
from pathlib import Path
from typing import Any

import torch

from training.batches import Batch, Loader
from training.config import TrainingConfig
from training.losses import reconstruction_loss, segmentation_loss
from training.networks import SegmentationNet, place
from training.sampling import Sampler
from training.schedule import Plan
from voxcurate.errors import TrainingError

log = logging.getLogger(__name__)
FINAL_RATE = 0.01  # of the peak, where annealing takes over
THREADS = "VOXCURATE_THREADS"


def use_threads() -> None:
    """As many numerical threads as the executor gave this process."""
    given = os.environ.get(THREADS, "")
    if given.isdigit() and int(given):
        torch.set_num_threads(int(given))


def rate(step: int, plan: Plan, config: TrainingConfig) -> float:
    """Learning rate of a step.

    Linear warm-up, then a half cosine to zero. With annealing the cosine ends at the first
    annealing step at a third of the peak, and the rest falls linearly to zero (data annealing,
    ScaleMAI, section A.4).
    """
    warmup = max(1, round(config.warmup * plan.steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    if plan.anneal_cases and step >= plan.anneal_from:
        left = (plan.steps - step) / max(1, plan.steps - plan.anneal_from)
        return config.learning_rate / 3 * left
    end = plan.anneal_from if plan.anneal_cases else plan.steps
    fall = 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, end - warmup)))
    floor = 1 / 3 if plan.anneal_cases else 0.0
    return config.learning_rate * (floor + (1 - floor) * fall)


class Training:
    """One run.

    Args:
        network: trained in place.
        folder: of its checkpoint.
        log_path: JSONL, one line per logged step.
        seed: of the run.
    """

    def __init__(
        self,
        network: SegmentationNet,
        loader: Loader,
        sampler: Sampler,
        plan: Plan,
        config: TrainingConfig,
        *,
        folder: Path,
        log_path: Path,
    ) -> None:
        self.device = pick_device(config.device)
        self.network = place(network, self.device)
        self.loader, self.sampler, self.plan, self.config = loader, sampler, plan, config
        self.folder, self.log_path = folder, log_path
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.average = {k: v.detach().clone() for k, v in network.state_dict().items()}
        self.step = 0
        self.bad_steps = 0

    def run(self, stop_after: int | None = None) -> dict[str, torch.Tensor]:
        """Train to the end (or for `stop_after` steps more) and return the averaged weights.

        Raises:
            TrainingError: the loss is no number in more steps than `max_bad_steps`.
        """
        self._resume()
        end = self.plan.steps if stop_after is None else self.step + stop_after
        start, first = time.perf_counter(), self.step
        self.network.train()
        while self.step < min(end, self.plan.steps):
            facts = self._one_step()
            self.step += 1
            if self.step % self.config.log_every == 0 or self.step == self.plan.steps:
                spent = time.perf_counter() - start
                pace = spent / (self.step - first)
                left = pace * (self.plan.steps - self.step)
                self._write_log({**facts, "seconds": round(spent, 2), "eta_s": round(left, 1)})
            if self.step % self.config.checkpoint_every == 0:
                self.save()
        self.save()
        return {k: v.cpu().clone() for k, v in self.average.items()}

    def _one_step(self) -> dict[str, Any]:
        config, plan = self.config, self.plan
        batch = self.loader.batch(self.step)
        speed = rate(self.step, plan, config)
        for group in self.optimizer.param_groups:
            group["lr"] = speed
        torch.manual_seed(self.step)
        self.optimizer.zero_grad(set_to_none=True)
        loss, details = self._loss(batch)
        facts: dict[str, Any] = {
            "step": self.step + 1,
            "loss": round(loss.item(), 5),
            "lr": round(speed, 8),
        }
        if not math.isfinite(loss.item()):
            self._bad_step(facts)
            return facts
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.clip_norm)
        self.optimizer.step()
        self._follow()
        if details:
            dice = details["dice"].double().cpu().numpy()
            self.sampler.learn_dice(dice, details["seen"].cpu().numpy())
            losses = details["bce"].mean(dim=1).cpu().tolist()
            self.sampler.learn(batch.draws, losses)
            facts["dice"] = [round(v, 3) for v in self.sampler.dice.tolist()]
        facts["phase"] = plan.phase(self.step)
        return facts

    def _loss(self, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        image = batch.image.to(self.device, memory_format=torch.channels_last_3d)
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
            features = self.network.features(image)
        features = features.float()
        weight = batch.weight.to(self.device)
        loss = features.new_zeros(())
        details: dict[str, torch.Tensor] = {}
        if bool((batch.weight > 0).any()):
            target = batch.target.to(self.device)
            loss, details = segmentation_loss(self.network.head(features), target, weight)
        if bool((batch.hidden > 0).any()):
            rebuilt = self.network.rebuild(features)
            extra = reconstruction_loss(
                rebuilt, batch.original.to(self.device), batch.hidden.to(self.device)
            )
            loss = loss + self.config.reconstruction * extra
        if not loss.requires_grad:  # nothing known in the whole batch
            loss = features.sum() * 0.0
        return loss, details

    def _bad_step(self, facts: dict[str, Any]) -> None:
        self.bad_steps += 1
        log.warning("loss is no number", extra={"step": facts["step"]})
        if self.bad_steps > self.config.max_bad_steps:
            raise TrainingError(
                f"the loss was no number in {self.bad_steps} steps, the last being "
                f"{facts['step']}: lower learning_rate, or look for broken scans"
            )

    @torch.no_grad()
    def _follow(self) -> None:
        """Averaged weights: the decay grows from 0 to `ema`, so that the start is forgotten."""
        decay = min(self.config.ema, (self.step + 1) / (self.step + 10)) if self.config.ema else 0.0
        for name, value in self.network.state_dict().items():
            kept = self.average[name]
            if kept.is_floating_point():
                kept.lerp_(value.to(kept.dtype), 1 - decay)
            else:
                kept.copy_(value)

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".checkpoint.{os.getpid()}.tmp"
        torch.save(
            {
                "step": self.step,
                "bad_steps": self.bad_steps,
                "network": self.network.state_dict(),
                "average": self.average,
                "optimizer": self.optimizer.state_dict(),
                "sampler": self.sampler.state(),
                "plan": [self.plan.steps, self.plan.anneal_from],
            },
            temporary,
        )
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(self.folder / "checkpoint.pt")

    def _resume(self) -> None:
        """Go on from the checkpoint; one that cannot be read counts as none."""
        path = self.folder / "checkpoint.pt"
        state = _read_checkpoint(path) if path.is_file() else None
        if state is not None and state["plan"] == [self.plan.steps, self.plan.anneal_from]:
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.average = {k: v.to(self.device) for k, v in state["average"].items()}
            self.sampler.restore(state["sampler"])
            self.step, self.bad_steps = state["step"], state["bad_steps"]
        self._cut_log()

    def _write_log(self, facts: dict[str, Any]) -> None:
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(facts) + "\n")

    def _cut_log(self) -> None:
        """Drop the lines after the checkpoint: their steps come again."""
        lines = self.log_path.read_text().splitlines() if self.log_path.exists() else []
        kept = [line for line in lines if _step_of(line) <= self.step]
        if len(kept) != len(lines):
            self.log_path.write_text("".join(f"{line}\n" for line in kept))


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


def _read_checkpoint(path: Path) -> dict[str, Any] | None:
    import pickle

    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError):
        log.warning("unreadable checkpoint: training starts anew")
        return None
    return state


def _step_of(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return 1 << 62  # a torn line
