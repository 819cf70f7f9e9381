"""The analysis of folders: predictions and truth as files, without a workspace."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.roc.analysis import Analysis
from labeling.roc.config import RocConfig
from labeling.roc.reach import organs_of, reach_of
from labeling.roc.stage import MEASURED, VERSION
from labeling.roc.written import state_of
from voxcurate.case_files import CaseFiles
from voxcurate.classes import Vocabulary
from voxcurate.errors import CurationError
from voxcurate.ids import content_id
from voxcurate.kept import KeptResults
from voxcurate.lesions.candidates import Found, find_candidates
from voxcurate.lesions.matching import CaseRow, match, row_of
from voxcurate.nifti import write_nifti
from voxcurate.predictions import ProbabilityBox
from voxcurate.ready_predictions import Grid, read_prediction
from voxcurate.volume import Volume

THREADS = 2  # a few volumes of each lie in memory
Models = Mapping[str, Mapping[str, CaseFiles]]


@dataclass(frozen=True)
class FolderCase:
    """One scan: its row, and its candidates with their scores, as plain data."""

    row: CaseRow
    candidates: tuple[Mapping[str, Any], ...] = ()
    hard: bool = False


@dataclass(frozen=True)
class Folders:
    """What was measured.

    Attributes:
        cases: by name.
        failed: case to why.
        lacking: cases of the truth or the table that no model has predicted.
    """

    cases: Mapping[str, FolderCase] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()

    @property
    def hard(self) -> list[str]:
        """Cases whose predictions are masks: there is one threshold only."""
        return [name for name, case in self.cases.items() if case.hard]

    @property
    def rows(self) -> list[CaseRow]:
        """The rows, in case order."""
        return [case.row for _, case in sorted(self.cases.items())]


def measure_folders(
    models: Models,
    truth: Mapping[str, CaseFiles],
    class_id: str,
    vocabulary: Vocabulary,
    config: RocConfig,
    *,
    organ_files: Mapping[str, CaseFiles] | None = None,
    reach_mm: float | None = None,
    said: Mapping[str, str] | None = None,
    patients: Mapping[str, str] | None = None,
    missing_is_empty: bool = False,
    keep: Path | None = None,
    done: Callable[[str], None] = lambda _: None,
) -> Folders:
    """Find the candidates of each case and compare them with its truth.

    A case without a file of truth is negative if its report says no, or if `missing_is_empty`;
    else nobody knows. What is wrong with one case leaves the others alone.

    Args:
        models: model to case to files; of several the mean counts.
        truth: case to files.
        class_id: the lesion.
        vocabulary: for its organ.
        config: of the analysis.
        organ_files: masks of the organs; not given: of the truth, else as predicted.
        reach_mm: how far a lesion may reach out of its organ.
        said: case to what its report says.
        patients: case to patient; others are patients of their own.
        missing_is_empty: no file of truth says that there is no lesion.
        keep: folder that keeps what was measured of each case, for as long as its files and what
            candidates depend on stay the same; a later call takes it over.
        done: told each case.
    """
    told, owners = said or {}, patients or {}
    names = sorted({case for cases in models.values() for case in cases})
    organs = organs_of(class_id, vocabulary, config) if config.contain else ()

    chosen = {k: v for k, v in config.model_dump(mode="json").items() if k in (*MEASURED, "score")}
    common = content_id(VERSION, class_id, list(organs), reach_mm, missing_is_empty, chosen)
    kept = KeptResults(keep, common if keep else "")

    def work(case: str) -> FolderCase | str:
        known = [models[m].get(case) for m in sorted(models)]
        around = [truth.get(case), (organ_files or truth).get(case)]
        try:
            seen = [x.state() if x else None for x in (*known, *around)]
        except OSError:
            return "a file of it is gone, or cannot be read"
        state = [sorted(models), seen, told.get(case, ""), owners.get(case, case)]
        before = kept.get(case, state)
        if before is not None:
            return _read(before)
        try:
            found, is_hard = candidates_of_files(
                models, case, class_id, config, organs, organ_files or truth, reach_mm
            )
            made = _compared(
                found, case, truth.get(case), class_id, config, told.get(case, ""),
                owners.get(case, case), missing_is_empty, is_hard,
            )  # fmt: skip
            kept.put(case, state, asdict(made))
            return made
        except CurationError as error:
            return str(error)

    cases: dict[str, FolderCase] = {}
    failed: dict[str, str] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for case, result in zip(names, pool.map(work, names), strict=True):
            if isinstance(result, str):
                failed[case] = result
            else:
                cases[case] = result
            done(case)
    lacking = tuple(sorted((set(truth) | set(told)) - set(names)))
    return Folders(cases, failed, lacking)


def _read(plain: Mapping[str, Any]) -> FolderCase:
    row: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in plain["row"].items()
    }
    row["hits"] = tuple(tuple(numbers) for numbers in row["hits"])
    return FolderCase(CaseRow(**row), tuple(plain["candidates"]), plain["hard"])


def candidates_of_files(
    models: Models,
    case: str,
    class_id: str,
    config: RocConfig,
    organs: Sequence[str],
    organ_files: Mapping[str, CaseFiles],
    reach_mm: float | None = None,
) -> tuple[Found, bool]:
    """The candidates of one case, and whether its predictions are masks.

    Raises:
        CurationError: a file is broken or lies elsewhere, or no model has this class.
    """
    boxes: list[ProbabilityBox] = []
    predicted: dict[str, ProbabilityBox] = {}
    grid: Grid | None = None
    for model, known in models.items():
        if case not in known:
            continue
        wanted = _only(known[case], [class_id, *organs])
        found = read_prediction(wanted, model, grid=grid)
        grid = grid or Grid(found.shape, found.affine, f"the prediction of {model}")
        if class_id in found.classes:
            boxes.append(found.box(class_id))
        predicted |= {organ: found.box(organ) for organ in organs if organ in found.classes}
    if grid is None or not boxes:
        raise CurationError(f"no model has predicted {class_id}")
    organ = _organ(organs, organ_files.get(case), predicted, grid)
    is_hard = all(_is_hard(box.array) for box in boxes) and any(box.array.size for box in boxes)
    found_here = find_candidates(
        boxes, grid.shape, grid.affine, config, organ=organ, reach_mm=reach_mm
    )
    return found_here, is_hard


def truth_mask(
    files: CaseFiles | None, class_id: str, found: Found
) -> npt.NDArray[np.bool_] | None:
    """The mask of a class, on the grid of the prediction; None: there is no file of it.

    Raises:
        CurationError: it is broken, or lies elsewhere.
    """
    if files is None:
        return None
    own = _only(files, [class_id])
    if own.soft is None and own.label_map is None and not own.masks:
        return None
    grid = Grid(found.shape, found.affine, "the prediction")
    mask = read_prediction(own, "truth", grid=grid, values="auto" if own.label_map else "mask")
    if class_id not in mask.classes:
        return None
    return mask.full(class_id) > 127


def _compared(
    found: Found,
    case: str,
    files: CaseFiles | None,
    class_id: str,
    config: RocConfig,
    said: str,
    patient: str,
    missing_is_empty: bool,
    is_hard: bool,
) -> FolderCase:
    mask = truth_mask(files, class_id, found)
    source = "label"
    if mask is None and (missing_is_empty or said == "no"):
        mask = np.zeros(found.shape, bool)
        source = "report" if said == "no" else "missing file"
    plain = [c.plain() for c in found.candidates]
    more: dict[str, Any] = {"said": said}
    if mask is not None:
        matches = match(found, mask, config)
        for entry, hits, ignored in zip(plain, matches.hits, matches.ignored, strict=True):
            entry |= {"hits": list(hits), "ignored": ignored}
        more |= {"lesions_ml": matches.lesions_ml, "truth": source}
        more["positive"] = bool(mask.any())
    row = row_of(case, patient, plain, config.score, **more)
    return FolderCase(row, tuple(plain), is_hard)


def _organ(
    organs: Sequence[str],
    files: CaseFiles | None,
    predicted: Mapping[str, ProbabilityBox],
    grid: Grid,
) -> npt.NDArray[np.bool_] | None:
    """The organs together; None if none is known."""
    parts: list[ProbabilityBox] = []
    if files is not None:
        own = _only(files, organs)
        if own.label_map is not None or own.masks or own.soft is not None:
            drawn = read_prediction(
                own, "organ", grid=grid, values="auto" if own.label_map else "mask"
            )
            parts = [drawn.box(organ) for organ in organs if organ in drawn.classes]
    parts = [p for p in parts if p.array.size] or [p for p in predicted.values() if p.array.size]
    if not parts:
        return None
    whole = np.zeros(grid.shape, bool)
    for part in parts:
        whole[part.box] |= part.array > 127
    return whole


def _only(files: CaseFiles, classes: Sequence[str]) -> CaseFiles:
    """The files of some classes alone."""
    if files.label_map is not None:
        return replace(files, names={n: c for n, c in files.names.items() if c in classes})
    return replace(files, masks={c: p for c, p in files.masks.items() if c in classes})


def _is_hard(array: npt.NDArray[np.uint8]) -> bool:
    return not bool(((array > 0) & (array < 255)).any())


def write_kept(
    models: Models,
    organ_files: Mapping[str, CaseFiles],
    vocabulary: Vocabulary,
    analysis: Analysis,
    folder: Path,
    row: CaseRow,
) -> Path:
    """Write the candidates that are left at the operating point, each with its number, as
    ``<folder>/<case>.nii.gz`` on the grid of the prediction; where none is left, an empty map.

    Raises:
        CurationError: as `candidates_of_files`.
    """
    config, class_id = analysis.config, analysis.class_id
    organs = organs_of(class_id, vocabulary, config) if config.contain else ()
    found, _ = candidates_of_files(
        models, row.case_id, class_id, config, organs, organ_files, reach_of(class_id, vocabulary)
    )
    labels = np.zeros(found.shape, np.uint16)
    for candidate in found.candidates:
        score = candidate.scores[config.score]
        if state_of(row, score, analysis.threshold) == "kept":
            mask, box = found.drawn(candidate.number, config.drawn_share)
            labels[box][mask] = candidate.number
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{row.case_id}.nii.gz"
    write_nifti(path, Volume(labels, found.affine))
    return path
