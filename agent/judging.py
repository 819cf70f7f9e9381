"""The judges on files alone: a scan, candidates for one label, trusted cases, a vision model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxcurate.errors import ConfigError, CurationError, GeometryError

if TYPE_CHECKING:
    from labeling.config import LabelingConfig
    from labeling.expert.suspicion import Usual
    from labeling.rules import Anatomy
    from labeling.structures import Structure
    from labeling.vision.judge import VisionJudge
    from voxcurate.classes import Vocabulary
    from voxcurate.protocols import Verdict
    from voxcurate.volume import Volume

NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Reference:
    """Trusted cases: scan and structures, those that can be read.

    Attributes:
        folder: label maps or masks, by case.
        scans: their CTs; None: ``ct.nii.gz`` in the cases' folders.
        failed: case to why it could not be read; filled while it is read.
    """

    folder: Path
    scans: Path | None = None
    failed: dict[str, str] = field(default_factory=dict)

    def cases(
        self, vocabulary: "Vocabulary"
    ) -> "Iterator[tuple[str, Volume, dict[str, Structure]]]":
        """Case by case, in the order of their names."""
        from labeling.rules.files import find_scans, read_case
        from voxcurate.case_files import find_cases
        from voxcurate.labelmaps import same_affine
        from voxcurate.readers import read_volume

        found = find_cases(self.folder, vocabulary)
        scans = find_scans(self.scans or self.folder, found)
        for name, files in found.items():
            try:
                if name not in scans:
                    raise GeometryError("no scan of this case")
                volume, structures = read_volume(scans[name]), read_case(files)
                for s in structures.values():
                    if s.shape != volume.shape or not same_affine(s.affine, volume.affine):
                        raise GeometryError(f"mask {s.class_id} lies on another grid than the scan")
            except CurationError as error:
                self.failed[name] = str(error)
                continue
            yield name, volume, structures


def read_candidates(
    scan: Path, masks: Sequence[Path], class_id: str
) -> "tuple[Volume, list[Structure]]":
    """The scan and the candidates, which must lie on its grid.

    Raises:
        VolumeReadError: a file cannot be read; names its role.
        GeometryError: a candidate lies on another grid.
    """
    from labeling.structures import Structure
    from voxcurate.labelmaps import same_affine
    from voxcurate.readers import read_volume

    volume = read_volume(scan)
    found = []
    for name, path in zip(NAMES, masks, strict=False):
        mask = read_volume(path, role=f"mask {name}")
        if mask.shape != volume.shape or not same_affine(mask.affine, volume.affine):
            raise GeometryError(f"mask {name} lies on another grid than the scan")
        found.append(Structure.of(class_id, mask.array != 0, volume.affine))
    return volume, found


def judged(
    volume: "Volume",
    class_id: str,
    candidates: "Sequence[Structure]",
    *,
    name: str,
    vocabulary: "Vocabulary",
    reference: Reference | None,
    context: "Mapping[str, Structure]",
    engine: Mapping[str, Any],
    root: Path,
    modality: str,
    settings: Mapping[str, Any],
) -> "tuple[str, Verdict]":
    """What a judge says of candidates, the current label first, as it would in a round.

    Args:
        volume: the scan.
        class_id: of the structure.
        candidates: on the scan's grid.
        name: of the judge; empty: vision where an engine is given, else the default.
        vocabulary: the classes.
        reference: trusted cases, which what is usual is learned from as in a round; examples for a
            vision model.
        context: the other structures of the scan.
        engine: settings of the vision-language model; none: there is no model.
        root: keeps the model's answers and the log of calls.
        modality: of the scans.
        settings: of `labeling.config.JudgeConfig`.
    """
    from labeling.config import LabelingConfig
    from labeling.expert.case import JudgedCase, judge_of
    from labeling.expert.layout import Layout
    from labeling.expert.suspicion import Usual
    from labeling.rules import load_anatomy
    from labeling.rules.files import facts_of
    from labeling.vision.engine import make_vision_engine
    from labeling.vision.judge import VisionJudge
    from voxcurate.chat import EngineConfig
    from voxcurate.config import build

    chosen = {"name": name} if name else {"name": "vision"} if engine else {}
    config = build(LabelingConfig, {"judge": {**settings, **chosen}})
    anatomy = load_anatomy(vocabulary, config.rules.anatomy, config.rules.weights)
    others = {c: s for c, s in context.items() if c != class_id}
    needs_usual = reference is not None and config.judge.name != "vision"
    case = JudgedCase(
        vocabulary,
        anatomy,
        config.judge,
        usual_of(reference, vocabulary, config, anatomy, modality)
        if reference is not None and needs_usual
        else Usual({}, Layout({})),
        others,
        facts_of(others, volume if modality == "CT" else None),
        modality=modality,
        engine=make_vision_engine(build(EngineConfig, dict(engine)), config.judge.vision, root=root)
        if engine
        else None,
    )
    judge = judge_of(case)
    seeing = judge if config.judge.name == "vision" else getattr(judge, "vision", None)
    if reference is not None and config.judge.vision.examples and isinstance(seeing, VisionJudge):
        seeing.examples[class_id] = _examples(seeing, reference, vocabulary, class_id)
    verdict = judge.judge_all(volume, {class_id: list(candidates)})[class_id]
    return f"{judge.name} {judge.version}", verdict


def told(judge: str, class_id: str, verdict: "Verdict", n: int) -> dict[str, Any]:
    """A verdict as plain data; candidates are called A, B, C."""
    names = NAMES[:n]
    reasons = [verdict.reason]
    for name, mark in zip(names, verdict.evidence.get("marks", ()), strict=False):
        reasons += [f"{name}: {text}" for text in mark["violations"]]
        odd = {k: z for k, z in mark["oddities"].items() if abs(z) >= 2}
        if odd:
            shown = ", ".join(f"{k} {z:+.1f} SD" for k, z in odd.items())
            reasons.append(f"{name}: unusual {shown}")
    seen = verdict.evidence.get("vision", verdict.evidence)
    for row in seen.get("comparisons", ()):
        pair = f"{names[row['champion']]} against {names[row['challenger']]}"
        winner = {"first": names[row["champion"]], "second": names[row["challenger"]]}
        outcome = winner.get(row["outcome"], row["outcome"].replace("_", " "))
        reasons.append(f"{pair}: {outcome}")
        errors = {order["error"] for order in row.get("orders", ()) if "error" in order}
        reasons += [f"{pair}: {error}" for error in sorted(errors)]
    return {
        "class": class_id,
        "winner": None if verdict.choice is None else names[verdict.choice],
        "probability": verdict.confidence,
        "reasons": reasons,
        "judge": judge,
        "evidence": dict(verdict.evidence),
    }


def usual_of(
    reference: Reference,
    vocabulary: "Vocabulary",
    config: "LabelingConfig",
    anatomy: "Anatomy",
    modality: str,
) -> "Usual":
    """What is usual among trusted cases, learned as a round learns it: from labels that do not
    break the written anatomy.

    Raises:
        ConfigError: none of the cases can be read.
    """
    from labeling.expert.examine import Subject, examine
    from labeling.expert.suspicion import weigh_results

    by_people = {"origin": "original", "gold": False, "confirmed": False}
    results = {
        name: examine(
            Subject(
                structures, volume, modality=modality, facts=dict.fromkeys(structures, by_people)
            ),
            anatomy,
            config,
            vocabulary,
            (),
        )
        for name, volume, structures in reference.cases(vocabulary)
    }
    if not results:
        why = "".join(
            f"; {name}: {problem}" for name, problem in sorted(reference.failed.items())[:1]
        )
        raise ConfigError(
            "--reference: no trusted case can be read: want <case>/ct.nii.gz with "
            f"<case>/segmentations/<class>.nii.gz or <case>/labels.nii.gz{why}"
        )
    return weigh_results(results, config, vocabulary, frozenset(results))[1]


def failed_replies(verdict: "Verdict") -> int:
    """How many replies of a model said nothing."""
    return int(verdict.evidence.get("vision", verdict.evidence).get("failed", 0))


def _examples(
    judge: "VisionJudge", reference: Reference, vocabulary: "Vocabulary", class_id: str
) -> list[Any]:
    found = []
    for _, volume, structures in reference.cases(vocabulary):
        if class_id in structures and not structures[class_id].is_empty:
            found.append(judge.example(volume, class_id, structures[class_id]))
        if len(found) >= judge.config.examples:
            break
    return found
