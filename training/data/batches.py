"""Batches: draws become tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from training.config import TrainingConfig
from training.data.cases import PreparedCase
from training.data.patches import Patch, channels, cut, random_pose, vary
from training.data.restoration import spoil
from training.mix.sampling import Draw, Sampler
from training.synthetic.samples import Site, add_tumours

NOWHERE = np.zeros((0, 3), np.int16)


@dataclass(frozen=True, eq=False)
class Batch:
    """Tensors of one step.

    `original` is the first window before anything was spoiled, `hidden` is 1 where a sample for
    self-supervision was changed (`training.data.restoration`).
    """

    image: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor
    original: torch.Tensor
    hidden: torch.Tensor
    draws: tuple[Draw, ...]


class _Sample(NamedTuple):
    draw: Draw
    image: npt.NDArray[np.float32]
    target: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]
    original: npt.NDArray[np.float32]
    hidden: npt.NDArray[np.float32]


class Loader:
    """Cuts the samples that a sampler draws.

    Args:
        cases: labelled cases.
        raw: cases without labels, for reconstruction.
        sites: lesion class (position in the class list) to where its synthetic tumours grow.
        swap: see `patches.mirror_swap`.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        raw: Sequence[PreparedCase],
        sites: Mapping[int, Site],
        swap: npt.NDArray[np.int64] | None,
        sampler: Sampler,
        config: TrainingConfig,
    ) -> None:
        self._cases, self._raw, self._sites = cases, raw, sites
        self._swap, self._sampler, self._config = swap, sampler, config

    def case_id(self, draw: Draw) -> str:
        """The case that a sample is drawn from."""
        return (self._raw if draw.kind == "unlabeled" else self._cases)[draw.case].case_id

    def batch(self, step: int) -> Batch:
        """The samples of a step."""
        return self.cut(step, self.draw(step))

    def draw(self, step: int) -> tuple[Draw, ...]:
        """What the samples of a step are to be; the sampler decides it by what it has learnt."""
        generators = [self._sampler.generator(step, n) for n in range(self._config.batch)]
        return tuple(self._sampler.draw(generator, step) for generator in generators)

    def cut(
        self, step: int, draws: Sequence[Draw], positions: Sequence[int] | None = None
    ) -> Batch:
        """The drawn samples of a step; several threads may do this at once.

        Args:
            draws: of the whole step.
            positions: of the samples wanted, within the step (none: all): a process of several
                cuts its part.
        """
        samples = []
        for position in range(len(draws)) if positions is None else positions:
            (generator,) = self._sampler.generator(step, position).spawn(1)
            samples.append(self._sample(draws[position], generator))
        shape = np.broadcast_shapes(*(s.weight.shape for s in samples))
        return Batch(
            image=_stack([s.image for s in samples]),
            target=_stack([s.target for s in samples]),
            weight=_stack([np.broadcast_to(s.weight, shape) for s in samples]),
            original=_stack([s.original for s in samples]),
            hidden=_stack([s.hidden for s in samples]),
            draws=tuple(s.draw for s in samples),
        )

    def _sample(self, draw: Draw, generator: np.random.Generator) -> _Sample:
        config = self._config
        is_raw = draw.kind == "unlabeled"
        case = (self._raw if is_raw else self._cases)[draw.case]
        draw = self._placed(draw, case, generator)
        pose = random_pose(
            draw.centre, case.spacing, config.augment, self._swap is not None, generator
        )
        patch = cut(case, pose, config.patch, self._swap)
        if draw.kind == "synthetic":
            patch, draw = self._grown(patch, case, draw, generator)
        hu = vary(patch.hu, config.augment, generator)
        image = channels(hu, patch.position, config.grid.windows)
        original = image[:1].copy()
        hidden = np.zeros_like(original)
        weight = patch.weight
        if is_raw:
            n_windows = len(config.grid.windows)
            image, hidden = spoil(image, n_windows, config.restoration, generator)
            weight = np.zeros_like(weight)
        return _Sample(draw, image, patch.target, weight, original, hidden)

    def _grown(
        self, patch: Patch, case: PreparedCase, draw: Draw, generator: np.random.Generator
    ) -> tuple[Patch, Draw]:
        """The patch with synthetic tumours, and the draw with how many."""
        site = self._sites[draw.class_index]
        made, tumours = add_tumours(
            patch,
            site,
            case.spacing,
            self._config.synthetic,
            generator,
            is_proven=case.case_id not in site.unproven,
        )
        return made, replace(draw, grown=len(tumours))

    def _placed(self, draw: Draw, case: PreparedCase, generator: np.random.Generator) -> Draw:
        """A draw without a place gets one: in its organ, or anywhere in the body."""
        if draw.centre[0] >= 0:
            return draw
        voxels = self._organ(draw, case, generator) if draw.kind == "synthetic" else ()
        if len(voxels):
            centre = voxels[int(generator.integers(len(voxels)))].astype(float)
        else:
            centre = generator.random(3) * (np.array(case.image.shape) - 1)
        place = (float(centre[0]), float(centre[1]), float(centre[2]))
        return Draw(draw.kind, draw.case, place, draw.class_index)

    def _organ(
        self, draw: Draw, case: PreparedCase, generator: np.random.Generator
    ) -> npt.NDArray[np.int16]:
        """Voxels of an organ in which the drawn tumour may grow."""
        hosts = [h for h in self._sites[draw.class_index].hosts if len(case.centres[h])]
        return case.centres[hosts[int(generator.integers(len(hosts)))]] if hosts else NOWHERE


def _stack(parts: Sequence[npt.NDArray[np.float32]]) -> torch.Tensor:
    return torch.from_numpy(np.stack(parts))
