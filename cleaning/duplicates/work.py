"""What worker processes do: plain data in, plain data out, arrays through a scratch folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cleaning.duplicates.candidates import Candidate
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.hashing import ScanFingerprint, fingerprint
from cleaning.duplicates.pairs import confirm
from cleaning.duplicates.pictures import pair_picture, write_pair_picture
from cleaning.duplicates.proof import Fine, fine_images, proved
from cleaning.duplicates.registration import Image
from voxcurate.readers import read_volume
from voxcurate.volume import Volume


def fingerprint_scan(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The fingerprint of a scan file or series, and its voxel's size."""
    volume = _read(payload)
    return {
        "fingerprint": fingerprint(volume, payload["modality"]).as_dict(),
        "voxel_ml": volume.voxel_ml,
    }


def refine_scan(payload: Mapping[str, Any]) -> None:
    """Write the fine images of a scan into the scratch folder."""
    save_fine(payload["scratch"], fine_images(_read(payload)))


def save_fine(path: str, fine: Fine) -> None:
    """Fine images into a file."""
    np.savez(
        path,
        within=fine.within.values.astype(np.float16),
        beyond=fine.beyond.values.astype(np.float16),
        cube_mm=fine.within.cube_mm,
        corner_mm=fine.within.corner_mm,
    )


def prove_pair(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """A candidate confirmed by thumbnails, proved by fine images where they are, and drawn."""
    config = DuplicateConfig(**payload["config"])
    one, other = (ScanFingerprint.from_dict(mark) for mark in payload["prints"])
    first, second = payload["ids"]
    candidate = Candidate(**payload["candidate"])
    pair = confirm(first, one, second, other, candidate, config)
    if pair is None:
        return None
    fine = [load_fine(path) for path in payload["fine"]]
    if fine[0] is not None and fine[1] is not None:
        pair = proved(pair, one, other, fine[0], fine[1], config)
        if pair is None:
            return None
    if payload["picture"]:
        images = (
            (fine[0].within, fine[1].within)
            if fine[0] is not None and fine[1] is not None
            else None
        )
        write_pair_picture(Path(payload["picture"]), pair_picture(pair, one, other, images))
    transform = None if pair.transform is None else pair.transform.tolist()
    return {**pair.as_dict(), "is_proved": pair.is_proved, "to_first": transform}


def _read(payload: Mapping[str, Any]) -> Volume:
    files = [Path(path) for path in payload["files"]]
    return read_volume(
        files if payload["kind"] == "dicom" else files[0], role="scan", allow_nonfinite=True
    )


def load_fine(path: str) -> Fine | None:
    """What `save_fine` wrote; None if it did not."""
    if not path or not Path(path).is_file():
        return None
    with np.load(path) as data:
        cube, corner = data["cube_mm"], data["corner_mm"]
        return Fine(
            Image(data["within"].astype(np.float32), cube, corner),
            Image(data["beyond"].astype(np.float32), cube, corner),
        )
