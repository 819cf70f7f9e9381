"""Duplicates among scan files, without a workspace: fingerprints, candidates, proofs, groups.

Scans are read by worker processes, one each; only those that have a candidate are read again, for
the proof. What is stored is fingerprints alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cleaning.check.config import CheckConfig
from cleaning.check.folder import Item, find_items, list_files
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.groups import Dropped, Standing, families, settle
from cleaning.duplicates.hashing import ScanFingerprint
from cleaning.duplicates.index import FingerprintIndex
from cleaning.duplicates.pairs import DEFAULT, DuplicatePair, suspects
from cleaning.duplicates.placing import UPRIGHT
from cleaning.duplicates.registration import Agreement
from voxcurate.errors import ConfigError
from voxcurate.protocols import Executor, Task

Advance = Callable[[str, int], None]


@dataclass
class Found:
    """What was found.

    Attributes:
        items: the scans, by id.
        prints: fingerprints of those that could be read.
        failed: id -> why.
        pairs: every pair that is no pair of different scans.
        dropped: copies that may go, with the scan that stays.
        pictures: file name of a pair's picture, by its ids.
    """

    items: dict[str, Item] = field(default_factory=dict)
    prints: dict[str, ScanFingerprint] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    pairs: list[DuplicatePair] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    pictures: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """Ids joined by copies."""
        return families(self.pairs)


def list_scans(paths: Sequence[Path], executor: Executor) -> dict[str, Item]:
    """Every scan below some paths, by its id: the path as typed and, in a folder, a number.

    Raises:
        ConfigError: a path does not exist, or there is no scan.
    """
    listing = list_files(paths)
    items = find_items(listing, executor, CheckConfig())
    if not items:
        raise ConfigError("no scans found: want NIfTI, NRRD, MetaImage or DICOM files")
    return {f"{item.root}#{item.number}" if item.inside else item.root: item for item in items}


def find_duplicates(
    items: Mapping[str, Item],
    executor: Executor,
    *,
    scratch: Path,
    config: DuplicateConfig = DEFAULT,
    modality: str = "CT",
    against: FingerprintIndex | None = None,
    pictures: Path | None = None,
    advance: Advance = lambda title, total: None,
) -> Found:
    """Pairs and groups of some scans, and of them with stored ones.

    Args:
        items: the scans, by id.
        executor: runs the work on each scan and pair.
        scratch: folder for what workers hand each other.
        config: radii and thresholds.
        modality: of the scans.
        against: fingerprints that were compared with each other before.
        pictures: folder for a picture of every pair, named by number.
        advance: called with a title and a total when a phase begins, with the title and 0 per item.

    Raises:
        ConfigError: an id is stored already.
    """
    known = dict(against.prints) if against is not None else {}
    twice = sorted(set(known) & set(items))
    if twice:
        raise ConfigError(
            f"{len(twice)} of the scans (the first: {twice[0]}) have the name of a stored one; "
            "want another --name"
        )
    found = Found(dict(items))
    voxel_ml = _fingerprint(found, executor, modality, advance)
    everything = {**known, **found.prints}
    pairs, tries = suspects(everything, config, known=set(known))
    involved = {key for each in tries for key in each[:2]} & set(items)
    fine = _refine(involved, items, executor, scratch, advance)
    tasks = []
    for number, (one, other, candidate) in enumerate(tries, start=1):
        picture = str(scratch / f"pair_{number:06d}.png") if pictures is not None else ""
        tasks.append(
            Task(
                f"{number}",
                {
                    "ids": ("a", "b"),
                    "prints": [everything[one].as_dict(), everything[other].as_dict()],
                    "candidate": asdict(candidate),
                    "fine": [fine.get(one, ""), fine.get(other, "")],
                    "config": config.model_dump(),
                    "picture": picture,
                },
            )
        )
    advance("compare pairs", len(tasks))
    drawn: dict[tuple[str, str], Path] = {}
    for outcome in executor.run("cleaning.duplicates.work:prove_pair", tasks):
        advance("compare pairs", 0)
        one, other, _ = tries[int(outcome.key) - 1]
        if not outcome.ok:
            found.failed[f"{one} and {other}"] = outcome.error
        elif outcome.value is not None:
            pair = _read_back(outcome.value, one, other)
            pairs.append(pair)
            if pictures is not None:
                drawn[pair.first, pair.second] = scratch / f"pair_{int(outcome.key):06d}.png"
    found.pairs = sorted(pairs, key=lambda pair: (pair.first, pair.second))
    lost = {key for key, mark in found.prints.items() if has_lost_spacing(mark)}
    facts = {
        key: Standing(voxel_ml=float("inf") if key in lost else ml) for key, ml in voxel_ml.items()
    }
    found.dropped = settle(found.pairs, facts, may_stay=lambda key: key in items or not known)
    if pictures is not None:
        _keep(found, drawn, pictures)
    return found


def _fingerprint(
    found: Found, executor: Executor, modality: str, advance: Advance
) -> dict[str, float]:
    """Fingerprints of all scans into `found`; the voxels' sizes in mL."""
    keys = list(found.items)
    tasks = [
        Task(str(n), {**_source(found.items[key]), "modality": modality})
        for n, key in enumerate(keys)
    ]
    advance("hash scans", len(tasks))
    sizes: dict[str, float] = {}
    marks: dict[str, ScanFingerprint] = {}
    for outcome in executor.run("cleaning.duplicates.work:fingerprint_scan", tasks):
        advance("hash scans", 0)
        key = keys[int(outcome.key)]
        if outcome.ok:
            marks[key] = ScanFingerprint.from_dict(outcome.value["fingerprint"])
            sizes[key] = outcome.value["voxel_ml"]
        else:
            found.failed[key] = outcome.error
    found.prints = {key: marks[key] for key in keys if key in marks}
    return sizes


def _refine(
    keys: set[str], items: Mapping[str, Item], executor: Executor, scratch: Path, advance: Advance
) -> dict[str, str]:
    """Files with the fine images of the scans that have a candidate."""
    ordered = sorted(keys)
    where = {key: str(scratch / f"fine_{n:06d}.npz") for n, key in enumerate(ordered)}
    tasks = [
        Task(str(n), {**_source(items[key]), "scratch": where[key]})
        for n, key in enumerate(ordered)
    ]
    advance("read candidates again", len(tasks))
    for outcome in executor.run("cleaning.duplicates.work:refine_scan", tasks):
        advance("read candidates again", 0)
        if not outcome.ok:  # then its thumbnail has to do
            del where[ordered[int(outcome.key)]]
    return where


def _source(item: Item) -> dict[str, Any]:
    return {"files": [str(path) for path in item.files], "kind": item.kind}


def _read_back(value: Mapping[str, Any], one: str, other: str) -> DuplicatePair:
    """The worker's pair under the scans' ids."""
    turned = value.get("turned")
    turn = UPRIGHT
    if turned:
        a, b, c = turned["axes"]
        x, y, z = turned["flipped"]
        turn = ((a, b, c), (x, y, z))
    to_first = None if value["to_first"] is None else np.array(value["to_first"])
    agreement = Agreement(
        value["ncc"],
        value["detail_ncc"],
        value["overlap"],
        shift_mm=value["shift_mm"],
        misfit=value["misfit"],
    )
    return DuplicatePair(
        one,
        other,
        value["kind"],
        value["votes"],
        value.get("distance", 256),
        agreement,
        to_first,
        turn,
        value["is_proved"],
        lean_deg=value.get("lean_deg", 0.0),
        projection_bits=value["projection_bits"],
    )


def has_lost_spacing(mark: ScanFingerprint) -> bool:
    """Whether a header says 1 x 1 x 1 mm, as one does that was lost on the way."""
    return bool(np.allclose(mark.spacing, 1.0, atol=1e-6))


def _keep(found: Found, drawn: Mapping[tuple[str, str], Path], pictures: Path) -> None:
    from voxcurate.atomic import adopt_file

    number = 0
    for pair in found.pairs:
        path = drawn.get((pair.first, pair.second))
        if path is not None and path.is_file():
            number += 1
            name = f"pair_{number:04d}.png"
            adopt_file(path, pictures / name)
            found.pictures[pair.first, pair.second] = name
