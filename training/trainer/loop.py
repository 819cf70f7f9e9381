"""The training loop: explicit, budgeted in steps, resumable to the bit.

A run killed at any point and started again ends with the weights of an undisturbed one (same
machine, same number of threads and processes): each step's random numbers come from (seed, step),
and a checkpoint holds weights, averaged weights, optimiser, sampler and the draws that wait.
"""

import logging
import math
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric

from training.config import TrainingConfig
from training.data.batches import Batch, Loader
from training.data.feeding import Drawn, Feed
from training.data.on_device import Blocks, DeviceLoader
from training.mix.sampling import Sampler
from training.mix.schedule import Plan
from training.network import SegmentationNet, place
from training.replay.teacher import Teacher
from training.trainer.checkpoints import read_checkpoint, write_checkpoint
from training.trainer.devices import given_threads, make_fabric, settled
from training.trainer.journal import Journal
from training.trainer.losses import (
    deep_loss,
    exclusion_penalty,
    reconstruction_loss,
    with_exclusion,
)
from training.trainer.outputs import (
    Details,
    Found,
    Outcome,
    Outputs,
    details_of,
    outcome_of,
    outcome_of_all,
)
from training.trainer.parts import (
    Portion,
    forget_unfinished,
    is_memory_short,
    pinned,
    portions,
    read_portion,
    to_device,
    write_portion,
)
from training.trainer.rates import rate
from training.trainer.trouble import Trouble, suspects
from voxcurate.errors import TrainingError
from voxcurate.executors import cores

log = logging.getLogger(__name__)
MOST_LOADERS = 8


class TrainingPausedError(TrainingError):
    """The time budget is spent; the run goes on where it stopped when it is started again."""


class MemoryShortError(TrainingError):
    """Memory is short where a step cannot be made anew: the run has to start again with less."""


class Training:
    """One run.

    Args:
        network: trained in place.
        folder: of its checkpoint.
        log_path: JSONL, one line per logged step.
        fabric: device, precision and processes; none: as the configuration says.
        identity: hashes of what decides the result, by name: a checkpoint of another run is not
            taken.
        disjoint: ``(classes, classes)``, 1 for classes that share no voxel.
        teacher: fills in for labels that a sample does not have.
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
        fabric: Fabric | None = None,
        identity: Mapping[str, str] | None = None,
        disjoint: npt.NDArray[np.bool_] | None = None,
        teacher: Teacher | None = None,
        title: str = "train",
        quiet: bool = True,
    ) -> None:
        self.fabric = fabric or make_fabric(config)
        self.device = self.fabric.device
        self.loader, self.sampler, self.plan, self.config = loader, sampler, plan, config
        self.folder = folder
        self.identity = {**(identity or {}), "steps": str((plan.steps, plan.anneal_from))}
        self.network = place(network, self.device)
        self.average = {k: v.detach().clone() for k, v in network.state_dict().items()}
        optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=self._scaler is None,  # which cannot clip what a scaler has scaled
        )
        self._model, self.optimizer = self.fabric.setup(Outputs(network), optimizer)
        self.portion = Portion(1, config.patch)
        self.teacher = teacher.to(self.device) if teacher is not None else None
        self.disjoint = None
        if disjoint is not None and disjoint.any():
            self.disjoint = torch.tensor(disjoint, dtype=torch.float32, device=self.device)
        self.step, self.trouble = 0, Trouble(config)
        self.shown = np.zeros(len(sampler.dice), dtype=np.int64)
        rank, world = self.fabric.global_rank, self.fabric.world_size
        self._own = range(rank, config.batch, world)
        self._feed = Feed(
            loader.draw, self._cut, last=plan.steps, ahead=config.prefetch, threads=self._loaders()
        )
        self._journal = Journal(
            log_path,
            plan.steps,
            title=title,
            tensorboard=config.compute.tensorboard,
            quiet=quiet,
            active=rank == 0,
        )

    def run(self) -> dict[str, torch.Tensor]:
        """Train to the end and return the averaged weights.

        Raises:
            TrainingError: too many steps gave no number, one sample does not fit into memory, or
                the checkpoint is of another run.
            TrainingPausedError: the time budget is spent.
        """
        for _ in self.stepwise():
            pass
        return {k: v.cpu().clone() for k, v in self.average.items()}

    def stepwise(self) -> Generator[dict[str, Any], None, None]:
        """Train step by step from the checkpoint on; gives what the log gets of each."""
        waiting = self._resume()
        self._journal.start(self.step)
        self._feed.start(self.step, waiting)
        self.network.train()
        try:
            with settled(self.config, self.device):
                yield from self._go()
        finally:
            self._feed.close()
            self._journal.close()

    def unseen(self, classes: Sequence[str]) -> list[str]:
        """Classes of which no patch has shown a voxel."""
        return [c for c, n in zip(classes, self.shown.tolist(), strict=True) if not n]

    def _go(self) -> Generator[dict[str, Any], None, None]:
        config, begin, waited = self.config, time.perf_counter(), 0.0
        budget_s = config.compute.time_budget_s
        while self.step < self.plan.steps:
            facts = self._one_step()
            self.step += 1
            is_last = self.step == self.plan.steps
            waited += facts.pop("waited")
            spent = time.perf_counter() - begin
            loss = facts["loss"]
            self._journal.advance("no loss" if loss is None else f"loss {loss:.3f}")
            if self.step % config.log_every == 0 or is_last:
                eta_s = self._journal.eta_s() or 0.0
                times = {"seconds": round(spent, 2), "eta_s": round(eta_s, 1)}
                self._journal.write({**facts, **times, "waited_s": round(waited, 2)})
            if self.step % config.checkpoint_every == 0 or is_last:
                self.save()
            if budget_s and not is_last and self._agree(spent >= budget_s):
                self.save()
                raise TrainingPausedError(
                    f"the time budget of {budget_s:g} s is spent at step {self.step} of "
                    f"{self.plan.steps}: the same call goes on from there"
                )
            yield facts

    def _one_step(self) -> dict[str, Any]:
        begin = time.perf_counter()
        batch = self._feed.next()
        waited = time.perf_counter() - begin
        speed = rate(self.step, self.plan, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = speed
        outcome, is_good = self._learn(batch)
        facts: dict[str, Any] = {
            "step": self.step + 1,
            "loss": round(outcome.loss, 5) if math.isfinite(outcome.loss) else None,
            "lr": round(speed, 8),
            "phase": self.plan.phase(self.step),
            "waited": waited,
        }
        if not is_good:
            self._bad_step(outcome)
            return facts
        self.trouble.in_a_row = 0
        self._follow()
        self.sampler.learn_dice(outcome.dice, outcome.seen)
        self.sampler.learn(outcome.draws, outcome.losses.tolist(), outcome.features)
        self.shown += outcome.seen
        facts["dice"] = [round(v, 3) for v in self.sampler.dice.tolist()]
        return facts

    def _learn(self, batch: Batch | Blocks) -> tuple[Outcome, bool]:
        """A step on a batch, and whether it was taken: not where its loss or gradient is no number.

        In smaller portions from the first time that memory is short.
        """
        while True:
            torch.manual_seed(self.step)
            self.optimizer.zero_grad(set_to_none=True)
            is_stepping = False
            try:
                outcome = self._gradients(batch)
                is_stepping = self._is_good(outcome)
                if is_stepping:
                    self.optimizer.step()  # with a scaler: unless a gradient has overflowed
                return outcome, is_stepping
            except RuntimeError as error:
                if not is_memory_short(error):
                    raise  # the rest outside of this block: the traceback holds the tensors
            self._take_less(len(batch.draws), is_stepping)

    def _is_good(self, outcome: Outcome) -> bool:
        is_scaled_down = self._scaler is not None and self._scale() > 1
        return math.isfinite(outcome.loss) and (math.isfinite(outcome.norm) or is_scaled_down)

    def _gradients(self, given: Batch | Blocks) -> Outcome:
        batch = given.on(self.device) if isinstance(given, Blocks) else given
        pieces = portions(batch, self.portion)
        total, told = torch.zeros((), device=self.device), []
        for n, piece in enumerate(pieces):
            share = len(piece.draws) / len(batch.draws)
            with self.fabric.no_backward_sync(self._model, enabled=n + 1 < len(pieces)):
                loss, details = self._loss(to_device(piece, self.device))
                self.fabric.backward(loss * share)
            total = total + share * loss.detach()
            told.append(details)
        norm = self.fabric.clip_gradients(
            self._model, self.optimizer, max_norm=self.config.clip_norm, error_if_nonfinite=False
        )
        n_classes = len(self.sampler.dice)
        length = 0.0 if norm is None else float(norm)
        outcome = outcome_of(float(total), length, batch.draws, told, n_classes)
        if self.fabric.world_size == 1:
            return outcome
        every: list[Any] = [None] * self.fabric.world_size
        torch.distributed.all_gather_object(every, outcome)
        return outcome_of_all(every)

    def _loss(self, batch: Batch) -> tuple[torch.Tensor, Details]:
        config = self.config
        has_classes, has_hidden = bool((batch.weight > 0).any()), bool((batch.hidden > 0).any())
        image = batch.image.to(memory_format=torch.channels_last_3d)
        found: Found = self._model(image, has_classes, has_hidden)
        loss: torch.Tensor = found.features[0].sum() * 0.0  # where nothing is known
        details: Details = {}
        if has_classes:
            target, weight = batch.target.float(), batch.weight
            if self.teacher is not None:
                with self.fabric.autocast():
                    target, weight = self.teacher.fill(image, target, weight)
            if self.disjoint is not None and config.exclusion_as_background:
                weight = with_exclusion(target, weight, self.disjoint)
            learnt = torch.as_tensor(self.sampler.dice, dtype=torch.float32).to(target.device)
            known, details = deep_loss(found.logits, target, weight, learnt)
            loss = loss + known
        if has_classes and self.disjoint is not None and config.exclusion:
            claimed = exclusion_penalty(found.logits[0].sigmoid(), self.disjoint)
            loss = loss + config.exclusion * claimed
        if found.rebuilt is not None:
            extra = reconstruction_loss(found.rebuilt, batch.original, batch.hidden)
            loss = loss + config.reconstruction * extra
        return loss, details_of(self.network.pooled(found.features), details)

    def _agree(self, wish: bool) -> bool:
        """What the first process says, in all of them."""
        return bool(self.fabric.broadcast(wish)) if self.fabric.world_size > 1 else wish

    def _bad_step(self, outcome: Outcome) -> None:
        """Skip a step whose loss or gradient is no number: the weights stay as they are."""
        if self._scaler is not None:
            self._scaler.update()
        self.trouble.note(suspects(outcome, self.loader))
        names, step = self.trouble.likely, self.step + 1
        log.warning("step %d: the loss is no number; cases: %s", step, ", ".join(names))
        self._journal.write({"step": step, "event": "bad_step", "cases": names})
        self.trouble.check(step)

    def _take_less(self, batch: int, is_stepping: bool) -> None:
        """A smaller portion from now on, on record.

        Args:
            is_stepping: memory was short in the optimiser's step. A fused one asks for all of its
                memory before it changes a weight, so that the step can be made anew; another may
                have changed some, and only the checkpoint knows what they were.

        Raises:
            TrainingError: there is none.
            MemoryShortError: other processes would wait in vain for this one, or the step cannot
                be made anew.
        """
        self.optimizer.zero_grad(set_to_none=True)
        forget_unfinished(self.optimizer)
        if self._scaler is not None:
            with suppress(AssertionError):  # nothing was scaled yet
                self._scaler.update(self._scale())  # else it takes the gradients for unscaled
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        smaller = self.portion.smaller(batch)
        if smaller is None:
            raise TrainingError(
                f"out of memory with single samples of {'x'.join(map(str, self.portion.patch))} "
                "voxels: want a smaller network, patch or precision"
            )
        self.portion = smaller
        told = {"parts": smaller.parts, "patch": list(smaller.patch)}
        log.warning("out of memory: batch in %d parts of %s", smaller.parts, smaller.patch)
        if self.fabric.world_size > 1:
            write_portion(self.folder, smaller)
            raise MemoryShortError(f"out of memory in process {self.fabric.global_rank}")
        if is_stepping and self._scaler is not None:
            write_portion(self.folder, smaller)
            raise MemoryShortError(
                "out of memory in the middle of the optimiser's step: the same call goes on from "
                "the last checkpoint with smaller portions"
            )
        self._journal.write({"step": self.step + 1, "event": "out_of_memory", **told})

    @torch.no_grad()
    def _follow(self) -> None:
        """Averaged weights: the decay grows from 0 to `ema`, so that the start is forgotten."""
        decay = min(self.config.ema, (self.step + 1) / (self.step + 10)) if self.config.ema else 0.0
        state = self.network.state_dict()
        floating = [name for name, value in self.average.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [self.average[name] for name in floating],
            [state[name].to(self.average[name].dtype) for name in floating],
            1 - decay,
        )
        for name in self.average.keys() - set(floating):
            self.average[name].copy_(state[name])

    def save(self) -> None:
        """Write the checkpoint, whole or not at all; the first process does."""
        if self.fabric.global_rank == 0:
            scaler = self._scaler
            state = {
                "identity": self.identity,
                "step": self.step,
                "trouble": self.trouble.state(),
                "network": self.network.state_dict(),
                "average": self.average,
                "optimizer": self.optimizer.state_dict(),
                "scaler": scaler.state_dict() if scaler is not None else {},
                "sampler": self.sampler.state(),
                "shown": self.shown,
                "waiting": self._feed.waiting(),
                "portion": [self.portion.parts, list(self.portion.patch)],
            }
            write_checkpoint(self.folder, state)
        self.fabric.barrier()

    def _resume(self) -> Sequence[Sequence[Mapping[str, Any]]]:
        """Go on from the checkpoint; the draws that waited."""
        state = read_checkpoint(self.folder, self.identity)
        left = read_portion(self.folder)
        self.portion = self.portion.or_smaller(left or self.portion)
        if state is None:
            return []
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self._scaler is not None:
            self._scaler.load_state_dict(state["scaler"])
        self.average = {k: v.to(self.device) for k, v in state["average"].items()}
        self.sampler.restore(state["sampler"])
        self.step, self.shown = state["step"], state["shown"]
        self.trouble.restore(state["trouble"])
        parts, (i, j, k) = state["portion"]
        self.portion = self.portion.or_smaller(Portion(parts, (i, j, k)))
        waiting: Sequence[Sequence[Mapping[str, Any]]] = state["waiting"]
        return waiting

    def _cut(self, step: int, draws: Drawn) -> Batch | Blocks:
        is_cuda = self.device.type == "cuda"
        if isinstance(self.loader, DeviceLoader):
            blocks = self.loader.blocks(step, draws, self._own)
            return blocks.pinned() if is_cuda else blocks
        batch = self.loader.cut(step, draws, self._own)
        return pinned(batch) if is_cuda else batch

    def _loaders(self) -> int:
        if self.config.compute.loaders or not self.config.prefetch:
            return self.config.compute.loaders
        beside = MOST_LOADERS if self.device.type == "cuda" else 1
        return max(1, min(beside, given_threads() or cores()))

    @property
    def _scaler(self) -> torch.amp.GradScaler | None:
        scaler: torch.amp.GradScaler | None = getattr(
            self.fabric.strategy.precision, "scaler", None
        )
        return scaler

    def _scale(self) -> float:
        return self._scaler.get_scale() if self._scaler is not None else 1.0
