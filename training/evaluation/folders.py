"""Evaluation of files: predictions and truth in folders of any known layout, without a workspace.

Cases are matched by name, classes by any of their names. A case of the truth is scored in the
classes that its truth has files (or names in its label map) for; what nobody has drawn is unknown.
What is wrong with one case leaves the others alone.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from training.evaluation.case import rules_of, score_class
from training.evaluation.config import CaseConfig
from voxcurate.case_files import CaseFiles
from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError, CurationError, PredictionError
from voxcurate.ids import content_id
from voxcurate.kept import KeptResults
from voxcurate.predictions import EMPTY_BOX, Prediction, ProbabilityBox
from voxcurate.ready_predictions import Grid, read_prediction

VERSION = "2"  # of the scores: others make kept ones useless
Cases = Mapping[str, CaseFiles]
Done = Callable[[str], None]
SIDES = ("prediction", "truth")
ML_PER_MM3 = 1e-3


@dataclass(frozen=True)
class Job:
    """What is to be scored.

    Attributes:
        classes: only these; empty: all that the truth has.
        missing_is_empty: a class without a file of prediction is predicted to be absent.
        workers: threads; kernels and unpacking let each other run.
        keep: folder of the cases' scores, taken over as long as files and settings stay the same;
            None: nothing is kept.
    """

    vocabulary: Vocabulary
    config: CaseConfig
    classes: tuple[str, ...] = ()
    missing_is_empty: bool = False
    workers: int = 1
    keep: Path | None = None


@dataclass(frozen=True)
class Measured:
    """What was found.

    Attributes:
        scores: case to class to scores.
        failed: case, or case/class, to why.
        missing: cases of the truth without a prediction.
        extra: predicted cases without truth.
        not_predicted: classes of the truth that no prediction has and that are not scored.
        reused: cases whose scores were kept from an earlier run.
        unnamed: side to the values of its label maps that have no name, with cases and mL.
    """

    scores: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    not_predicted: tuple[str, ...] = ()
    reused: int = 0
    unnamed: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether every case of both sides could be scored."""
        return not (self.failed or self.missing or self.extra)


def measure(predictions: Cases, truth: Cases, job: Job, done: Done = lambda _: None) -> Measured:
    """Score all cases that both have, a few at a time.

    Args:
        predictions: case to files.
        truth: case to files.
        job: what and how.
        done: told each case.

    Raises:
        ConfigError: none of the values that a side's label maps hold has a name.
    """
    both = [case for case in truth if case in predictions]
    offered = {c for case in both for c in _classes(predictions[case], truth[case])}
    any_unnamed = any(_is_unnamed(predictions[case], truth[case]) for case in both)

    kept = _kept(job, offered)

    def work(case: str) -> tuple[Scored, bool]:
        state = _state(predictions[case], truth[case])
        if state is not None and (known := kept.get(case, state)) is not None:
            return Scored(**known), True
        try:
            found = score_files(predictions[case], truth[case], job, offered)
        except CurationError as error:
            return Scored({}, {"": str(error)}), False
        if state is not None and not found.wrong:
            kept.put(case, state, asdict(found))
        return found, False

    every: list[Scored] = []
    scores: dict[str, dict[str, dict[str, Any]]] = {}
    failed: dict[str, str] = {}
    reused = 0
    with ThreadPoolExecutor(max(1, job.workers)) as pool:
        for case, (found, was_there) in zip(both, pool.map(work, both), strict=True):
            failed |= {f"{case}/{c}" if c else case: why for c, why in found.wrong.items()}
            if found.scores:
                scores[case] = found.scores
            every.append(found)
            reused += was_there
            done(case)
    wanted = {c for case in both for c in _classes(truth[case], predictions[case])}
    if job.classes:
        wanted &= set(job.classes)
    return Measured(
        scores,
        failed,
        tuple(sorted(set(truth) - set(predictions))),
        tuple(sorted(set(predictions) - set(truth))),
        () if any_unnamed or job.missing_is_empty else tuple(sorted(wanted - offered)),
        reused,
        {side: told for side in SIDES if (told := _unnamed(side, every))},
    )


@dataclass(frozen=True)
class Scored:
    """One case.

    Attributes:
        scores: by class.
        wrong: what is wrong with single classes.
        named: the sides that hold a class.
        unnamed: side to the mL of each value of its label map that has no name.
    """

    scores: dict[str, dict[str, Any]]
    wrong: dict[str, str] = field(default_factory=dict)
    named: Sequence[str] = ()
    unnamed: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def _unnamed(side: str, every: Sequence[Scored]) -> dict[str, dict[str, Any]]:
    """The values of a side's label maps that nobody named: these voxels are in no class.

    Raises:
        ConfigError: it has no others, so that all scores would be of empty masks.
    """
    found: dict[str, dict[str, Any]] = {}
    for case in every:
        for value, ml in case.unnamed.get(side, {}).items():
            told = found.setdefault(value, {"cases": 0, "ml": 0.0})
            told["cases"] += 1
            told["ml"] += ml
    if found and not any(side in case.named for case in every):
        raise ConfigError(
            f"the {side}'s label maps hold no value that has a name, but {_some(found)}; "
            "--labels FILE names them"
        )
    return {value: found[value] for value in sorted(found, key=int)}


def score_files(
    prediction: CaseFiles, truth: CaseFiles, job: Job, offered: set[str] | None = None
) -> Scored:
    """One case: scores by class, and what is wrong with single classes.

    Args:
        prediction: of the case.
        truth: of the case.
        job: what and how.
        offered: classes that other cases' predictions have; one of them that is missing here is an
            error, while a class that is nowhere was never predicted.

    Raises:
        CurationError: a file is broken, or the two lie on different grids.
    """
    if (truth.label_map is None) != (prediction.label_map is None):
        for side, files in (("prediction", prediction), ("truth", truth)):
            if files.label_map is not None and not files.names:
                raise PredictionError(
                    f"the {side} is a label map whose values have no names; --labels names them"
                )
    mine, theirs = _named(prediction, truth), _named(truth, prediction)
    drawn = _read(theirs, "truth", None, "auto" if theirs.label_map else "mask")
    grid = Grid(drawn.shape, drawn.affine, "the truth")
    made = _read(mine, "prediction", grid, "auto")
    wanted = list(drawn.classes)
    is_unnamed = _is_unnamed(prediction, truth)
    if is_unnamed:
        wanted = sorted({*drawn.classes, *made.classes}, key=lambda n: (len(n), n))
    scores: dict[str, dict[str, Any]] = {}
    wrong: dict[str, str] = {}
    for class_id in wanted:
        if not _is_asked(class_id, job):
            continue
        if class_id not in made.classes and not (job.missing_is_empty or is_unnamed):
            if offered is None or class_id in offered:
                wrong[class_id] = "the prediction of this case lacks this class"
            continue
        tolerance_mm, is_lesion = rules_of(class_id, job.vocabulary, job.config)
        scores[class_id] = score_class(
            _box(drawn, class_id),
            _box(made, class_id),
            drawn.shape,
            drawn.affine,
            job.config,
            tolerance_mm=tolerance_mm,
            is_lesion=is_lesion,
        )
    if not scores and not wrong:
        there, found = ([c for c in side.classes if _is_asked(c, job)] for side in (drawn, made))
        raise PredictionError(
            f"no class in common: the truth has {_some(there)}, the prediction {_some(found)}"
        )
    sides = dict(zip(SIDES, (made, drawn), strict=True))
    return Scored(
        scores,
        wrong,
        [side for side, one in sides.items() if any(one.box(c).array.size for c in one.classes)],
        {side: _unnamed_ml(one) for side, one in sides.items() if "unnamed" in one.meta},
    )


def _unnamed_ml(found: Prediction) -> dict[str, float]:
    voxel_ml = abs(np.linalg.det(found.affine[:3, :3])) * ML_PER_MM3
    return {value: float(n * voxel_ml) for value, n in found.meta["unnamed"].items()}


def _read(files: CaseFiles, role: str, grid: Grid | None, values: Any) -> Prediction:
    try:
        return read_prediction(files, role, grid=grid, values=values)
    except CurationError as error:
        raise type(error)(f"{role}, {error}") from None


def _box(found: Prediction, class_id: str) -> ProbabilityBox:
    """The class; nothing if it does not occur."""
    if class_id not in found.classes:
        return ProbabilityBox(EMPTY_BOX, np.zeros((0, 0, 0), np.uint8))
    return found.box(class_id)


def _is_asked(class_id: str, job: Job) -> bool:
    return not job.classes or class_id in job.classes


def _named(files: CaseFiles, other: CaseFiles) -> CaseFiles:
    """The side that has names names both label maps."""
    if files.label_map is not None and not files.names and other.names:
        return replace(files, names=other.names)
    return files


def _is_unnamed(one: CaseFiles, two: CaseFiles) -> bool:
    return all(files.label_map is not None and not files.names for files in (one, two))


def _classes(files: CaseFiles, other: CaseFiles) -> set[str]:
    own = _named(files, other)
    if own.soft is not None:
        from voxcurate.predictions import open_prediction

        try:
            return set(open_prediction(own.soft).classes)
        except CurationError:
            return set(own.masks)
    return set(own.names.values()) if own.label_map is not None else set(own.masks)


def _kept(job: Job, offered: set[str]) -> KeptResults:
    if job.keep is None:
        return KeptResults()
    rules = {c: rules_of(c, job.vocabulary, job.config) for c in job.vocabulary.ids()}
    config = job.config.model_dump(mode="json")
    asked = [config, rules, job.classes, job.missing_is_empty, sorted(offered)]
    return KeptResults(job.keep, content_id(VERSION, *asked))


def _state(prediction: CaseFiles, truth: CaseFiles) -> list[Any] | None:
    """What the scores of a case depend on; None where a file cannot be seen."""
    try:
        return [prediction.state(), truth.state()]
    except OSError:
        return None


def _some(names: Sequence[str] | Mapping[str, Any]) -> str:
    listed = list(names)
    more = f" and {len(listed) - 6} more" if len(listed) > 6 else ""
    return (", ".join(listed[:6]) or "none") + more
