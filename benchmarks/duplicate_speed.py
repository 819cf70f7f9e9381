"""How fast codes are made and searched, for `benchmarks.duplicates`: ours and the peers."""

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.duplicate_copies import whole
from cleaning.duplicates.hashing import fingerprint, scan_codes
from cleaning.duplicates.search import close_pairs
from voxcurate.volume import Volume

FLAT_QUERIES = 400
Codes = npt.NDArray[np.uint8]


def realistic_codes(n: int, marks: list[Codes], seed: int) -> Codes:
    """Codes with the pairwise correlations of those of scans, in clusters of near-equal ones.

    Signs of a Gaussian with the codes' tetrachoric correlations; a fifth are real codes with a
    quarter of their bits drawn anew (the same place in another patient); a tenth have up to 40
    near-equal fellows, bits flipped at random (copies), the most common 400.
    """
    rng = np.random.default_rng(seed)
    seen = np.unpackbits(np.concatenate(marks), axis=1)
    both = np.corrcoef(seen.T.astype(np.float64))
    values, vectors = np.linalg.eigh(np.sin(np.pi / 2 * np.nan_to_num(both)))
    root = (vectors * np.sqrt(np.maximum(values, 1e-4))).astype(np.float32)
    bias = np.quantile(rng.normal(size=20_000), 1 - seen.mean(axis=0)).astype(np.float32)
    scale = np.sqrt((root**2).sum(axis=1))
    out = np.empty((n, 32), np.uint8)
    n_far = n - n // 5
    for start in range(0, n_far, 50_000):
        stop = min(n_far, start + 50_000)
        drawn = rng.standard_normal((stop - start, 256), np.float32) @ root.T / scale
        out[start:stop] = np.packbits(drawn > bias, axis=1)
    for start in range(n_far, n, 50_000):
        stop = min(n, start + 50_000)
        base = seen[rng.integers(0, len(seen), stop - start)]
        anew = rng.random(base.shape) < 0.25
        out[start:stop] = np.packbits(base ^ (anew & (rng.random(base.shape) < 0.5)), axis=1)
    at = 0
    while at < n // 10:
        size = 400 if at == 0 else int(rng.integers(2, 41))
        size = min(size, n // 10 - at + 1)
        flips = rng.random((size, 256)) < rng.uniform(0, 0.08, (size, 1))
        out[at : at + size] = np.packbits(np.unpackbits(out[at]) ^ flips, axis=1)
        at += size
    return out[rng.permutation(n)]


def search_speed(codes: Codes, radius: int, *, with_peer: bool = True) -> dict[str, Any]:
    """All close pairs of realistic codes: ours on all, faiss on some queries, scaled to all."""
    import faiss

    close_pairs(codes[:2000], radius)
    begin_mb = _resident_mb()
    begin = time.process_time()
    pairs, ours_s = timed(lambda: close_pairs(codes, radius))
    ours_cpu_s = time.process_time() - begin
    result: dict[str, Any] = {
        "codes": len(codes),
        "radius": radius,
        "pairs": len(pairs),
        "ours_s": round(ours_s, 2),
        "ours_cpu_s": round(ours_cpu_s, 2),
        "memory_before_mb": begin_mb,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    if not with_peer:
        return result
    index: Any = faiss.IndexBinaryFlat(256)
    index.add(codes)
    ask = np.random.default_rng(1).choice(len(codes), FLAT_QUERIES, replace=False)
    begin = time.process_time()
    (limits, _, hits), flat_s = timed(
        lambda: index.range_search(np.ascontiguousarray(codes[ask]), radius + 1)
    )
    flat_cpu_s = (time.process_time() - begin) / FLAT_QUERIES * len(codes)
    query = np.repeat(ask, np.diff(limits.astype(np.int64)))
    theirs = {(int(a), int(b)) for a, b in zip(query, hits, strict=True) if a != b}
    asked = np.zeros(len(codes), bool)
    asked[ask] = True
    ours = {(int(a), int(b)) for a, b in zip(pairs.first, pairs.second, strict=True) if asked[a]}
    ours |= {(int(b), int(a)) for a, b in zip(pairs.first, pairs.second, strict=True) if asked[b]}
    whole_s = flat_s / FLAT_QUERIES * len(codes)
    return result | {
        "faiss_flat_s": round(whole_s),
        "faiss": f"{FLAT_QUERIES} queries in {flat_s:.2f} s, scaled linearly to all",
        "faiss_flat_cpu_s": round(flat_cpu_s),
        "times_faster": round(whole_s / ours_s),
        "times_faster_in_cpu_time": round(flat_cpu_s / ours_cpu_s),
        "pairs_of_the_queries": len(theirs),
        "equal": ours == theirs,
    }


def hash_speed() -> dict[str, Any]:
    """All codes of a volume in memory against phash of its slices, both from int16."""
    import imagehash
    from PIL import Image

    shape = (512, 512, 300)
    i, j, k = (np.linspace(-1, 1, n, dtype=np.float32) for n in shape)
    r = (i[:, None, None] ** 2 / 0.6 + j[None, :, None] ** 2 / 0.35 + 0 * k[None, None]) < 1
    wave = np.sin(9 * i)[:, None, None] * np.cos(7 * j)[None, :, None] * np.sin(11 * k)[None, None]
    noise = np.random.default_rng(0).normal(0, 20, shape).astype(np.float32)
    array = np.asfortranarray(whole(np.where(r, 40 + 250 * wave, -1000) + noise))
    volume = Volume(array, np.diag([0.8, 0.8, 1.0, 1.0]))

    def ours() -> None:
        scan_codes(volume)

    def peer() -> None:
        for n in range(shape[2]):
            scaled = (np.clip(array[:, :, n], -500, 500) + 500) / 1000 * 255
            imagehash.phash(Image.fromarray(scaled.astype(np.uint8)))

    ours()
    ours_s = min(timed(ours)[1] for _ in range(5))
    peer_s = min(timed(peer)[1] for _ in range(2))
    whole_s = min(timed(lambda: fingerprint(volume))[1] for _ in range(2))
    return {
        "shape": shape,
        "codes_s": round(ours_s, 4),
        "imagehash_slices_s": round(peer_s, 3),
        "times_faster": round(peer_s / ours_s, 1),
        "whole_fingerprint_with_pixel_hash_s": round(whole_s, 3),
    }


def timed(job: Callable[[], Any]) -> tuple[Any, float]:
    """The result and the seconds it took."""
    start = time.perf_counter()
    result = job()
    return result, time.perf_counter() - start


def _resident_mb() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    return 0
