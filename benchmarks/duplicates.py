"""Duplicates: how many copies are found, how few others, and how fast.

- ``python -m benchmarks.duplicates quality --data ../shared/data --half develop``: copies by 40
  kinds of change of real and synthetic CTs; recall per kind, precision against all other scans,
  follow-ups, other phases and mirror images; the same for file hashes, imagehash.phash of the
  middle slice and a majority of slices, each at its best threshold. ``--half test`` takes the other
  half of the scans, ``--share 1`` makes every kind of copy of every scan.
- ``... search --codes 1000000``: all close pairs against faiss' flat index; codes drawn with the
  statistics of real ones (``--data``: else of synthetic ones), in clusters.
- ``... hash``: the codes of one 512 x 512 x 300 volume in memory against imagehash.phash.

Run it under ``OMP_NUM_THREADS=1`` to compare single threads.
"""

import argparse
import hashlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.duplicate_combined import COPIES
from benchmarks.duplicate_copies import OTHERS
from benchmarks.duplicate_speed import hash_speed, realistic_codes, search_speed
from cleaning.duplicates.candidates import Candidate, candidates
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.grid import canonical
from cleaning.duplicates.hashing import (
    CUBE_MM,
    N_LANDMARKS,
    ScanFingerprint,
    fingerprint,
)
from cleaning.duplicates.landmarks import landmarks
from cleaning.duplicates.pairs import confirm, same_pixels
from cleaning.duplicates.proof import fine_images, proved
from cleaning.duplicates.work import load_fine, save_fine
from voxcurate.executors import LocalExecutor
from voxcurate.nifti import read_nifti, write_nifti
from voxcurate.progress import progress
from voxcurate.protocols import Task
from voxcurate.volume import Volume

PATTERNS = (
    "openkbp_ct/*/ct.nii.gz",
    "sts_ct/*/CT_image.nii.gz",
    "totalsegmentator_ct/example_ct.nii.gz",
    "ct_no_mask_3mm/*.nii.gz",
)
HALVES = {"develop": 0, "test": 1}


def main() -> int:
    """Print figures as JSON; exit 1 where ours and the peer disagree."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("quality", "search", "hash"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--half", choices=(*HALVES, "all"), default="develop")
    parser.add_argument("--share", type=int, default=3, help="every n-th kind of copy per scan")
    parser.add_argument("--kinds", help="only copies of these kinds, by commas")
    parser.add_argument("--scans", type=int, default=0, help="at most so many; 0: all")
    parser.add_argument("--patients", type=int, default=16, help="of the synthetic cohort")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--codes", type=int, default=1_000_000)
    parser.add_argument("--radius", type=int, default=DuplicateConfig().radius_bits)
    parser.add_argument("--no-peers", action="store_true", help="quality: ours alone")
    parser.add_argument("--no-flat", action="store_true", help="search: without the peer")
    given = parser.parse_args()
    equal = True
    if given.what == "quality":
        result = quality(given)
    elif given.what == "search":
        marks = [landmarks(canonical(x, CUBE_MM), N_LANDMARKS).codes for _, _, x in scans(given)]
        codes = realistic_codes(given.codes, marks, given.seed)
        result = search_speed(codes, given.radius, with_peer=not given.no_flat)
        equal = result.get("equal", True)
    else:
        result = hash_speed()
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return int(not equal)


def scans(given: argparse.Namespace) -> Iterator[tuple[str, str, Volume]]:
    """Name, person and scan: the real ones of the half, then the synthetic cohort's."""
    paths = sorted(path for pattern in PATTERNS for path in (given.data or Path()).glob(pattern))
    wanted = range(2) if given.half == "all" else (HALVES[given.half],)
    real = [path for n, path in enumerate(paths) if n % 2 in wanted] if given.data else []
    for path in real[: given.scans or None]:
        name = path.relative_to(given.data).as_posix()
        yield name, name, read_nifti(path)
    if given.patients:
        yield from synthetic(given)


def synthetic(given: argparse.Namespace) -> Iterator[tuple[str, str, Volume]]:
    """Scans of the synthetic cohort, with further visits of the same people."""
    from agent.cohort.anatomy import Body
    from agent.cohort.person import draw_people
    from agent.cohort.plan import plan_cohort
    from agent.cohort.scanner import acquire

    seed = given.seed + 100 * HALVES.get(given.half, 0)
    people = draw_people(given.patients, seed)
    bodies: dict[int, Body] = {}
    for plan in plan_cohort(people, seed):
        if plan.corruption or plan.copy_of is not None:
            continue
        body = bodies.setdefault(plan.person, Body(people[plan.person], seed))
        made = acquire(plan, body, seed)
        person = f"synthetic {plan.person}"
        yield f"synthetic {plan.index}", person, Volume(np.asarray(made.image), made.affine)


def work(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Worker: the copies of one scan: fingerprint, fine images, and what the peers keep."""
    scan = read_nifti(Path(payload["path"]))
    result = {}
    for number, kind in payload["kinds"]:
        rng = np.random.default_rng([payload["seed"], payload["number"], number])
        maker = COPIES.get(kind) or OTHERS.get(kind)
        other = scan if maker is None else maker(scan, rng)
        fine = f"{payload['scratch']}/{payload['number']}_{number}.npz"
        save_fine(fine, fine_images(other))
        result[kind] = {
            "mark": fingerprint(other).as_dict(),
            "fine": fine,
            "file": hashlib.sha256(np.ascontiguousarray(other.array).tobytes()).hexdigest(),
            "slices": slice_hashes(other.array) if payload["for_peers"] else None,
        }
    return result


def slice_hashes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """imagehash.phash of every plane of the last axis, window -500..500 HU or the whole range."""
    import imagehash
    from PIL import Image

    low, high = (-500.0, 500.0) if array.min() < -100 else (float(array.min()), float(array.max()))
    scaled = np.clip((array.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1) * 255
    planes = scaled.astype(np.uint8)
    hashes = [
        imagehash.phash(Image.fromarray(np.ascontiguousarray(planes[:, :, k])))
        for k in range(planes.shape[2])
    ]
    return np.array([int(str(h), 16) for h in hashes], np.uint64)


def quality(given: argparse.Namespace) -> dict[str, Any]:
    """Recall per kind, precision, and the peers', on one half of the scans."""
    start = time.perf_counter()
    kinds = [*COPIES, *OTHERS]
    chosen = set(given.kinds.split(",")) if given.kinds else set(kinds)
    with TemporaryDirectory() as scratch:
        names, people, tasks = [], [], []
        for n, (name, person, scan) in enumerate(scans(given)):
            path = Path(scratch) / f"{n}.nii.gz"
            write_nifti(path, scan)
            names.append(name)
            people.append(person)
            wanted = [(k + 1, kind) for k, kind in enumerate(kinds) if (k + n) % given.share == 0]
            wanted = [(k, kind) for k, kind in wanted if kind in chosen]
            payload = {"path": str(path), "kinds": [(0, "itself"), *wanted], "number": n}
            payload["for_peers"] = not given.no_peers
            tasks.append(Task(str(n), {**payload, "seed": given.seed, "scratch": scratch}))
        made: dict[int, dict[str, Any]] = {}
        with progress("make copies", len(tasks)) as bar:
            for outcome in LocalExecutor().run("benchmarks.duplicates:work", tasks):
                if not outcome.ok:
                    raise RuntimeError(f"scan {outcome.key}: {outcome.error}")
                made[int(outcome.key)] = outcome.value
                bar.advance()
        entries = [(n, kind, made[n][kind]) for n in sorted(made) for kind in made[n]]
        table = judged(entries, people)
        if not given.no_peers:
            table["peers"] = peers(entries, people)
        table["scans"] = {"all": len(names), "real": sum(not x.startswith("syn") for x in names)}
        table["made"] = len(entries)
        table["seconds"] = round(time.perf_counter() - start)
    return table


Entry = tuple[int, str, dict[str, Any]]


def is_positive(one: Entry, other: Entry) -> bool:
    """A scan and a copy of it."""
    return one[0] == other[0] and one[1] == "itself" and other[1] in COPIES


def judged(entries: list[Entry], people: list[str]) -> dict[str, Any]:
    """Candidates among all, proofs of those that a scan itself or another scan takes part in."""
    config = DuplicateConfig()
    prints = [ScanFingerprint.from_dict(value["mark"]) for _, _, value in entries]
    ids = [f"{n:06d}" for n in range(len(entries))]
    by_id = dict(zip(ids, prints, strict=True))
    exact = {(p.first, p.second) for p in same_pixels(by_id, set())[0]}
    begin = time.perf_counter()
    tries = candidates(prints, config)
    searched_s = time.perf_counter() - begin
    reached = {(int(a), int(b)) for a, b in exact} | {(c.first, c.second) for c in tries}
    found: dict[tuple[int, int], str] = {(int(a), int(b)): "identical_pixels" for a, b in exact}
    by_thumbnail: set[tuple[int, int]] = set(found)
    looked = [c for c in tries if _counts(entries[c.first], entries[c.second])]
    with progress("prove pairs", len(looked)) as bar:
        for candidate in looked:
            key = candidate.first, candidate.second
            kinds = _proof(candidate, ids, prints, entries, config)
            if kinds[0] == "transformed":
                by_thumbnail.add(key)
            if kinds[1]:
                found.setdefault(key, kinds[1])
            bar.advance()
    copies = {key for key, kind in found.items() if kind in ("identical_pixels", "transformed")}
    rows: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    wrong: list[str] = []
    n_true = 0
    for i, one in enumerate(entries):
        for j in range(len(entries)):
            key = (min(i, j), max(i, j))
            if i != j and is_positive(one, entries[j]):
                row = rows[entries[j][1]]
                row[0] += 1
                row[1] += key in reached
                row[2] += key in by_thumbnail
                row[3] += key in copies
                n_true += key in copies
    for i, j in sorted(copies):
        one, other = entries[i], entries[j]
        if one[0] != other[0] or {one[1], other[1]} & set(OTHERS):
            wrong.append(
                f"{one[0]} {one[1]} = {other[0]} {other[1]}"
                + (" (one person)" if people[one[0]] == people[other[0]] else "")
            )
    total = sum(row[0] for row in rows.values())
    linked = _linked(entries, found, people)
    return {
        "columns": ["copies", "candidates", "by thumbnail", "confirmed"],
        "recall per kind": {kind: rows[kind] for kind in COPIES if kind in rows},
        "recall": round(n_true / max(1, total), 4),
        "recall of candidates": round(sum(r[1] for r in rows.values()) / max(1, total), 4),
        "precision": round(n_true / max(1, n_true + len(wrong)), 4),
        "wrong": wrong,
        "linked, same patient or mirrored": linked,
        "pairs of other scans": _other_pairs(entries),
        "candidates of other scans": sum(entries[a][0] != entries[b][0] for a, b in reached),
        "search_s": round(searched_s, 2),
    }


def _counts(one: Entry, other: Entry) -> bool:
    """Pairs of two copies of one scan are not looked at: they may share too little."""
    return one[0] != other[0] or "itself" in (one[1], other[1])


def _other_pairs(entries: list[Entry]) -> int:
    sizes = np.bincount([n for n, _, _ in entries])
    return int((len(entries) ** 2 - (sizes**2).sum()) // 2)


def _linked(
    entries: list[Entry], found: Mapping[tuple[int, int], str], people: list[str]
) -> dict[str, list[int]]:
    """Of each kind of other scan: how many there are, and how many are linked to the original."""
    rows: dict[str, list[int]] = {}
    for i, one in enumerate(entries):
        for j, other in enumerate(entries):
            if one[1] == "itself" and other[1] in OTHERS and one[0] == other[0]:
                row = rows.setdefault(other[1], [0, 0])
                row[0] += 1
                row[1] += found.get((min(i, j), max(i, j))) in ("same_patient", "mirrored")
    return rows


def _proof(
    candidate: Candidate,
    ids: list[str],
    prints: list[ScanFingerprint],
    entries: list[Entry],
    config: DuplicateConfig,
) -> tuple[str, str]:
    """The kind by the thumbnails, and by the fine images."""
    i, j = candidate.first, candidate.second
    pair = confirm(ids[i], prints[i], ids[j], prints[j], candidate, config)
    if pair is None:
        return "", ""
    fine = load_fine(entries[i][2]["fine"]), load_fine(entries[j][2]["fine"])
    if fine[0] is None or fine[1] is None:
        raise RuntimeError("fine images are missing")
    sure = proved(pair, prints[i], prints[j], fine[0], fine[1], config)
    return pair.kind, sure.kind if sure is not None else ""


def peers(entries: list[Entry], people: list[str]) -> dict[str, Any]:
    """The peers on the same pairs: every scan itself with all others; best threshold by F1."""
    positive, same_file, middle, share = [], [], [], []
    kinds = []
    for i, one in enumerate(entries):
        if one[1] != "itself":
            continue
        slices = one[2]["slices"]
        for j, other in enumerate(entries):
            if i == j or (other[1] == "itself" and j < i):
                continue
            theirs = other[2]["slices"]
            positive.append(is_positive(one, other))
            kinds.append(other[1])
            same_file.append(one[2]["file"] == other[2]["file"])
            middle.append(
                -int(np.bitwise_count(slices[len(slices) // 2] ^ theirs[len(theirs) // 2]))
            )
            few = slices[:: max(1, len(slices) // 24)]
            near = np.bitwise_count(few[:, None] ^ theirs[None]).min(axis=1)
            share.append([(near <= bits).mean() for bits in (2, 6, 10, 14)])
    truth = np.array(positive)
    scores = {"exact file": np.array(same_file, float), "phash, middle slice": np.array(middle)}
    scores |= {
        f"majority of slices, {bits} bits": np.array(share)[:, n]
        for n, bits in enumerate((2, 6, 10, 14))
    }
    return {name: _best(score, truth, kinds) for name, score in scores.items()}


def _best(
    score: npt.NDArray[Any], truth: npt.NDArray[np.bool_], kinds: list[str]
) -> dict[str, Any]:
    best: tuple[float, float] = (-1.0, 0.0)
    for limit in np.unique(score):
        hit = score >= limit
        f1 = 2 * (hit & truth).sum() / (hit.sum() + truth.sum())
        best = max(best, (float(f1), float(limit)))
    hit = score >= best[1]
    per_kind = {
        kind: round(float(hit[truth & (np.array(kinds) == kind)].mean()), 2)
        for kind in COPIES
        if (truth & (np.array(kinds) == kind)).any()
    }
    return {
        "threshold": best[1],
        "recall": round(float((hit & truth).sum() / truth.sum()), 4),
        "precision": round(float((hit & truth).sum() / max(1, hit.sum())), 4),
        "recall per kind": per_kind,
    }


if __name__ == "__main__":
    raise SystemExit(main())
