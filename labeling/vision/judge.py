"""The vision judge: candidates of a class seen on a scan, and a vision-language model's choice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from labeling.anatomy import AnatomyFile
from labeling.projections import Look, ScanPictures
from labeling.projections.sums import Shadow
from labeling.structures import Structure, dice
from labeling.vision.config import VisionConfig
from labeling.vision.play import joined, play
from labeling.vision.prompts import COMPARE, PRESENCE, Example
from labeling.vision.protocol import Play
from labeling.vision.tournament import Contest, contest
from labeling.vision.wording import ClassPrompt, Wording, Wordings
from voxcurate.classes import Vocabulary, load_vocabulary
from voxcurate.config import build, read_yaml, shipped
from voxcurate.errors import ConfigError
from voxcurate.protocols import ChatEngine, Verdict
from voxcurate.volume import Volume

if TYPE_CHECKING:
    from labeling.expert.case import JudgedCase

Candidate = npt.NDArray[np.bool_] | Structure


class VisionJudge:
    """A `LabelJudge` that shows candidates to a vision-language model, as Label Critic does.

    First the field of view is told from the skeleton, then the candidates meet in a knock-out,
    each pair in both orders (`labeling.vision.tournament`). What the model says is never taken
    alone: agreement of both orders is wanted, everything else is a tie, and all of it is on record
    in the verdict's evidence.

    Args:
        engine: any chat engine that takes images.
        vocabulary: names, sides and descriptions of the classes.
        config: thresholds.
        wordings: what is told of each class; default: those of `config.anatomy`.
        examples: class to pictures shown before.
        in_view: class to whether it lies in the scan, where that is known otherwise.
        modality: of the scans; where it is not CT pictures get the window "auto", and nobody is
            asked for the bones.
        is_crowd: whether candidates come from different hands (`labeling.vision.tournament`).

    Attributes:
        examples: may be added to; `config.examples` of each class are shown.
    """

    name = "vision"

    def __init__(
        self,
        engine: ChatEngine,
        vocabulary: Vocabulary | None = None,
        config: VisionConfig | None = None,
        *,
        wordings: Wordings | None = None,
        examples: Mapping[str, Sequence[Example]] | None = None,
        in_view: Mapping[str, bool | None] | None = None,
        modality: str = "CT",
        is_crowd: bool = True,
    ) -> None:
        self.config = config or VisionConfig()
        vocabulary = vocabulary or load_vocabulary()
        self.wordings = wordings or load_wordings(vocabulary, self.config.anatomy)
        self.engine = engine
        self.examples: dict[str, Sequence[Example]] = dict(examples or {})
        self._in_view = dict(in_view or {})
        self._is_ct = modality == "CT"
        self._is_crowd = is_crowd
        if not self._is_ct:
            self.config = self.config.model_copy(update={"ask_presence": False})

    @classmethod
    def of_case(cls, case: "JudgedCase") -> "VisionJudge":
        """The judge of one case.

        Raises:
            ConfigError: the case has no engine.
        """
        if case.engine is None:
            raise ConfigError("judge vision wants an engine: labeling.judge.engine")
        return cls(
            case.engine, case.vocabulary, case.config.vision,
            modality=case.modality, is_crowd=case.is_crowd,
        )  # fmt: skip

    @property
    def version(self) -> str:
        """Of the prompts; the evidence of a verdict also names the wording of its class."""
        return f"{COMPARE}+{PRESENCE}"

    def judge(self, volume: Volume, class_id: str, candidates: Sequence[Candidate]) -> Verdict:
        """The candidate that wins, or None for "cannot tell"; the first one defends itself.

        Args:
            volume: the scan, HU.
            class_id: of the vocabulary, or any other name.
            candidates: masks of the volume's shape, or structures.
        """
        return self.judge_all(volume, {class_id: candidates})[class_id]

    def judge_all(
        self, volume: Volume, candidates: Mapping[str, Sequence[Candidate]]
    ) -> dict[str, Verdict]:
        """Several classes of one scan: it is read once, and asked about in common batches."""
        (found,) = play(self.engine, [self.asking(volume, candidates)])
        return found

    def asking(
        self, volume: Volume, candidates: Mapping[str, Sequence[Candidate]]
    ) -> Play[dict[str, Verdict]]:
        """As `judge_all`; who runs it sends the requests (`labeling.vision.play`)."""
        return joined(self.plays(volume, candidates))

    def plays(
        self, volume: Volume, candidates: Mapping[str, Sequence[Candidate]]
    ) -> dict[str, Play[Verdict]]:
        """The contests of a scan, not yet begun."""
        wordings = {class_id: self.wordings[class_id] for class_id in candidates}
        looks = [self._look(wording.prompt) for wording in wordings.values()]
        looks += [self._skeleton] if self._is_ct else []
        pictures = ScanPictures(
            volume,
            windows=sorted({look.window for look in looks}),
            axes=sorted({look.axis for look in looks}),
        )
        return {
            class_id: counted(
                contest(self._contest(volume, pictures, wordings[class_id], found), self.config)
            )
            for class_id, found in candidates.items()
        }

    def example(self, volume: Volume, class_id: str, mask: Candidate) -> Example:
        """A trusted label as a picture to be shown before others."""
        look = self._look(self.wordings[class_id].prompt)
        pictures = ScanPictures(volume, windows=(look.window,), axes=(look.axis,))
        return Example(pictures.png(look, pictures.shadow(mask)))

    def _contest(
        self,
        volume: Volume,
        pictures: ScanPictures,
        wording: Wording,
        candidates: Sequence[Candidate],
    ) -> Contest:
        shown = _Shown(volume, pictures, wording.class_id, candidates)
        look = self._look(wording.prompt)
        limits = alike_limits(wording, self.config)
        return Contest(
            wording,
            [s.is_empty for s in shown.structures],
            cache(lambda a, b: shown.alike(a, b, *limits)),
            cache(lambda n: pictures.png(look, shown.shadow(n))),
            lambda: pictures.png(self._skeleton),
            self._in_view.get(wording.class_id),
            tuple(self.examples.get(wording.class_id, ()))[: self.config.examples],
            self._is_crowd,
        )

    def _look(self, prompt: ClassPrompt) -> Look:
        window = prompt.window if self._is_ct else "auto"
        return Look(window, prompt.view, prompt.overlay, self.config.max_side)

    @property
    def _skeleton(self) -> Look:
        return Look("skeleton", max_side=self.config.max_side)


def counted(one: Play[Verdict]) -> Play[Verdict]:
    """The same contest; evidence "asked" tells how many requests it wanted and their tokens. The
    look at a scan, which its classes share, is told of each of them."""
    spent = dict.fromkeys(("requests", "tokens_in", "tokens_out"), 0)
    try:
        requests = next(one)
        while True:
            replies = yield requests
            spent["requests"] += len(replies)
            spent["tokens_in"] += sum(reply.tokens_in for reply in replies)
            spent["tokens_out"] += sum(reply.tokens_out for reply in replies)
            requests = one.send(replies)
    except StopIteration as done:
        verdict: Verdict = done.value
        return replace(verdict, evidence={**verdict.evidence, "asked": spent})


def alike_limits(wording: Wording, config: VisionConfig) -> tuple[float, float]:
    """DSC in 3-D and in the picture from which two candidates of a class are not compared.

    Pictures of two labels agree better than the labels: of a ball and a slightly smaller one the
    distance to 1 is two thirds of that in 3-D.
    """
    own = wording.prompt.alike_dsc
    return own, min(config.alike_dsc_2d, own + config.better_in_2d)


class _Shown:
    """The candidates of one class: boxes and shadows, made when wanted."""

    def __init__(
        self,
        volume: Volume,
        pictures: ScanPictures,
        class_id: str,
        candidates: Sequence[Candidate],
    ) -> None:
        self.structures = [
            c if isinstance(c, Structure) else Structure.of(class_id, c, volume.affine)
            for c in candidates
        ]
        self._pictures = pictures
        self.shadow: Callable[[int], dict[int, Shadow]] = cache(
            lambda n: pictures.shadow(self.structures[n])
        )

    def alike(self, a: int, b: int, dsc_3d: float, dsc_2d: float) -> bool:
        """Whether two candidates agree too well to be told apart, in the volume and in pictures."""
        one, other = self.structures[a], self.structures[b]
        if one.is_empty or other.is_empty:
            return one.is_empty and other.is_empty
        if (dice(one, other) or 0.0) < dsc_3d:
            return False
        return (self._pictures.dice(self.shadow(a), self.shadow(b)) or 0.0) >= dsc_2d


def load_wordings(vocabulary: Vocabulary, names: Sequence[str]) -> Wordings:
    """The wording of shipped files (by name) or of the user's own (by path); later ones win.

    Raises:
        ConfigError: a file is missing or wrong.
    """
    written: dict[str, ClassPrompt] = {}
    optional: set[str] = set()
    for name in names:
        path = (
            Path(name) if name.endswith((".yaml", ".yml")) else shipped("anatomy", f"{name}.yaml")
        )
        file = build(AnatomyFile, read_yaml(path))
        written.update(file.prompts)
        optional.update(c for c, rules in file.classes.items() if rules.removable or rules.sex)
    return Wordings(vocabulary, written, optional)
