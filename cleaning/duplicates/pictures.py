"""A pair side by side: middle planes of both on the same places, and their difference."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from cleaning.duplicates.hashing import ScanFingerprint
from cleaning.duplicates.leaning import leaned_image
from cleaning.duplicates.pairs import DuplicatePair
from cleaning.duplicates.placing import Turn, image_of, scaled_by, turned_image
from cleaning.duplicates.registration import Image, aligned

SIDE = 240
GAP = 6
TITLE = 18
LEANS = 0.005
Shown = npt.NDArray[np.uint8]


def pair_picture(
    pair: DuplicatePair,
    one: ScanFingerprint,
    other: ScanFingerprint,
    images: tuple[Image, Image] | None = None,
) -> Shown:
    """RGB picture ``(H, W, 3)``: rows axial, coronal, sagittal; columns first, second, difference.

    Up is head or front, image left is the patient's right or back.

    Args:
        pair: what was found.
        one, other: fingerprints of its first and second scan.
        images: finer images of them; None: the thumbnails.
    """
    first, second = images or (image_of(one), image_of(other))
    offset = np.zeros(3)
    if pair.transform is not None:
        second, offset = _placed(second, pair.turn, one, other, pair.transform)
    a, b, voxel = aligned(first, second, offset)
    rows = []
    for axis in (2, 1, 0):
        middle = a.shape[axis] // 2
        planes = [np.take(x, middle, axis=axis).T[::-1] for x in (a, b)]
        if axis != 0:  # the patient's right is image left
            planes = [plane[:, ::-1] for plane in planes]
        sides = [voxel[x] for x in range(3) if x != axis]
        rows.append(
            np.concatenate(
                [
                    _framed(_grey(planes[0]), sides),
                    _framed(_grey(planes[1]), sides),
                    _framed(_difference(planes[1] - planes[0]), sides),
                ],
                axis=1,
            )
        )
    return _titled(np.concatenate(rows, axis=0), pair)


def _placed(
    image: Image,
    turn: Turn,
    one: ScanFingerprint,
    other: ScanFingerprint,
    transform: npt.NDArray[np.float64],
) -> tuple[Image, npt.NDArray[np.float64]]:
    """The second image on the first's axes, and the offset, as the transform of the world says."""
    to_first = np.linalg.solve(one.frame, transform @ other.frame)
    turned, way = turned_image(image, turn)
    rest = to_first[:3, :3] @ np.linalg.inv(way[:3, :3])
    scale, offset = np.diag(rest), np.asarray(-to_first[:3, 3], np.float64)
    if np.abs(rest - np.diag(scale)).max() > LEANS:
        return leaned_image(turned, rest)[0], offset
    return scaled_by(turned, way, scale)[0], offset


def png_of(shown: Shown) -> bytes:
    """A picture as PNG."""
    from io import BytesIO

    from PIL import Image as Picture

    buffer = BytesIO()
    Picture.fromarray(shown).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def write_pair_picture(path: Path, shown: Shown) -> None:
    """A PNG file, whole or not at all."""
    from voxcurate.atomic import write_atomic

    write_atomic(path, [png_of(shown)])


def _grey(plane: npt.NDArray[np.float32]) -> Shown:
    grey = np.rint(np.clip(plane, 0, 1) * 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _difference(plane: npt.NDArray[np.float32]) -> Shown:
    """White where equal; red where the second is brighter, blue where it is darker."""
    level = np.clip(plane * 2, -1, 1)
    red, blue = np.clip(level, 0, 1), np.clip(-level, 0, 1)
    colours = np.stack((1 - blue, 1 - red - blue, 1 - red), axis=2)
    return np.asarray(np.rint(colours * 255), np.uint8)


def _framed(shown: Shown, sides_mm: list[float]) -> Shown:
    """Scaled so that a mm is a mm both ways, in the middle of a square."""
    from PIL import Image as Picture

    size = np.array([shown.shape[1] * sides_mm[0], shown.shape[0] * sides_mm[1]])
    width, height = np.maximum(np.rint(size / size.max() * (SIDE - GAP)), 1).astype(int)
    small = Picture.fromarray(np.ascontiguousarray(shown)).resize((int(width), int(height)))
    out = np.zeros((SIDE, SIDE, 3), np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    out[top : top + height, left : left + width] = np.asarray(small)
    return out


def _titled(shown: Shown, pair: DuplicatePair) -> Shown:
    from PIL import Image as Picture
    from PIL import ImageDraw

    text = pair.kind.replace("_", " ")
    found = pair.agreement
    if found is not None:
        text += (
            f"   ncc {found.ncc:.3f}  detail {found.detail_ncc:.3f}  overlap {found.overlap:.2f}"
        )
        text += f"  shift {min(found.shift_mm, 999):.1f} mm  projections {pair.projection_bits}/192"
    canvas = Picture.new("RGB", (shown.shape[1], shown.shape[0] + TITLE))
    canvas.paste(Picture.fromarray(shown), (0, TITLE))
    ImageDraw.Draw(canvas).text((GAP, 3), text, fill=(255, 255, 255))
    return np.asarray(canvas)
