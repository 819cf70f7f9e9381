"""A promptable network as refiner: transformers' SAM family, slice by slice, from a local folder.

The slices of the box are windowed to the structure's values and encoded in batches (the costly
part). Then the mask decoder is asked once per slice, with the box and points of that slice: first
the slice where the label is largest, then its neighbours outwards, each prompted with what was
found in the slice before (SAM has no depth of its own). Nothing is ever downloaded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.refine.border import Border, Floats, Mask, Proposals
from labeling.refine.config import RefineConfig
from labeling.refine.points import Points
from voxcurate.errors import ConfigError

WINDOW_SPREADS = 3.0  # scatters of the values inside and around that the grey levels span
LEAST_WINDOW_HU = 150.0
PER_SLICE = 2  # points of either kind in a slice, besides those of the structure
Slice = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Prompt:
    """What the decoder is asked of one slice; places are (x, y): second and first array axis."""

    box: tuple[float, float, float, float]
    points: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]


class SamRefiner:
    """`labeling.refine.methods.Refiner` with weights.

    Attributes:
        asked: counts of what the network was asked: ``images``, ``batches``, ``prompts``.
    """

    name = "sam"
    version = "1"

    def __init__(self, config: RefineConfig | None = None) -> None:
        self.config = config or RefineConfig()
        if not self.config.sam_folder:
            raise ConfigError("refiner sam wants labeling.refine.sam_folder: a local model folder")
        self.model, self.processor, self.device = _load(
            self.config.sam_folder, self.config.sam_device
        )
        self.asked = {"images": 0, "batches": 0, "prompts": 0}

    def refine(self, border: Border, points: Points) -> Proposals:
        """The network's mask within the band, as one proposal."""
        axis = slice_axis(border)
        mask, free, inside = (
            np.moveaxis(a, axis, 0) for a in (border.mask, border.free, border.inside)
        )
        values: Floats = np.moveaxis(border.values, axis, 0)
        order = [n for n in range(len(mask)) if (mask[n] | free[n]).any() and mask[n].any()]
        if not order:
            return {}
        encoded = self._encode(pictures(values, mask, free), order)
        signs = [np.moveaxis(points.mask(border, positive=p), axis, 0) for p in (True, False)]
        found = np.array(mask)
        for n, before in outwards(mask, order):
            seen = mask[n] if before is None else found[before] & mask[n]
            near = np.argwhere(signs[0][n]), np.argwhere(signs[1][n])
            prompt = prompt_of(mask[n], seen if seen.any() else mask[n], free[n], near)
            answer = self._decode(encoded[n], prompt)
            found[n] = np.where(free[n], answer, inside[n])
        return {"sam": border.closed(np.moveaxis(found, 0, axis).astype(bool))}

    def _encode(self, images: npt.NDArray[np.uint8], order: Sequence[int]) -> dict[int, Any]:
        """Slice to its embedding and sizes."""
        import torch

        found: dict[int, Any] = {}
        size = self.config.sam_batch
        for first in range(0, len(order), size):
            part = order[first : first + size]
            told = self.processor.image_processor([images[n] for n in part], return_tensors="pt")
            with torch.inference_mode():
                made = self.model.get_image_embeddings(told["pixel_values"].to(self.device))
            sizes = told["original_sizes"], told["reshaped_input_sizes"]
            for k, n in enumerate(part):
                found[n] = made[k : k + 1], *(s[k : k + 1] for s in sizes)
            self.asked["images"] += len(part)
            self.asked["batches"] += 1
        return found

    def _decode(self, encoded: tuple[Any, Any, Any], prompt: Prompt) -> Mask:
        import torch

        embedding, original, reshaped = encoded
        scale = torch.as_tensor(reshaped)[0].float() / torch.as_tensor(original)[0].float()
        factor = scale.flip(0)  # (rows, columns) to (x, y)
        places = torch.from_numpy(prompt.points) * factor
        corners = torch.tensor(prompt.box).reshape(2, 2) * factor
        with torch.inference_mode():
            out = self.model(
                image_embeddings=embedding,
                input_points=places[None, None].to(self.device),
                input_labels=torch.from_numpy(prompt.labels)[None, None].to(self.device),
                input_boxes=corners.reshape(1, 1, 4).to(self.device),
                multimask_output=False,
            )
        self.asked["prompts"] += 1
        (mask,) = self.processor.post_process_masks(
            out.pred_masks.float().cpu(), torch.as_tensor(original), torch.as_tensor(reshaped)
        )
        return np.asarray(mask.numpy().reshape(mask.shape[-2:]), bool)


def slice_axis(border: Border) -> int:
    """The array axis along which the patient's axial slices lie."""
    directions = border.label.affine[:3, :3] / border.spacing
    return int(np.argmax(np.abs(directions[2])))


def pictures(values: Floats, mask: Mask, free: Mask) -> npt.NDArray[np.uint8]:
    """Slices as RGB, ``(n, rows, columns, 3)``, windowed to the values in and around a mask."""
    own = values[mask | free]
    middle = float(np.median(own))
    spread = 1.4826 * float(np.median(np.abs(own - middle)))
    half = max(WINDOW_SPREADS * spread, LEAST_WINDOW_HU / 2.0)
    grey = np.clip((values - (middle - half)) / (2.0 * half), 0.0, 1.0) * 255.0
    return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=-1)


def outwards(mask: Mask, order: Sequence[int]) -> Iterator[tuple[int, int | None]]:
    """Slices from the one with the largest part outwards, each with its neighbour on the way
    there (None for the first)."""
    sizes = [int(np.count_nonzero(mask[n])) for n in order]
    middle = int(np.argmax(sizes))
    yield order[middle], None
    for way in (1, -1):
        k = middle + way
        while 0 <= k < len(order):
            yield order[k], order[k - way]
            k += way


def prompt_of(
    mask: Mask, seen: Mask, free: Mask, given: tuple[npt.NDArray[Any], npt.NDArray[Any]]
) -> Prompt:
    """Box and points of one slice.

    Args:
        mask: the label there, not empty; its box grown by what may change is the prompt's.
        seen: the part of it that was found in the slice before: its deepest voxels are inside.
        free: what may change.
        given: the structure's own points in this slice, inside and outside, ``(n, 2)``.
    """
    from scipy import ndimage

    rows, columns = np.nonzero(mask | free)
    box = (float(columns.min()), float(rows.min()), float(columns.max()), float(rows.max()))
    depth = ndimage.distance_transform_edt(np.pad(seen, 1))[1:-1, 1:-1]
    away = ndimage.distance_transform_edt(np.pad(~(mask | free), 1, constant_values=True))
    inner = [*given[0].tolist(), *_deepest(depth, PER_SLICE)]
    outer = [*given[1].tolist(), *_deepest(np.where(free | mask, 0.0, away[1:-1, 1:-1]), PER_SLICE)]
    places = np.array([*inner, *outer], np.float32)[:, ::-1]
    labels = np.array([1] * len(inner) + [0] * len(outer), np.int64)
    return Prompt(box, np.ascontiguousarray(places), labels)


def _deepest(depth: npt.NDArray[Any], n: int) -> list[list[int]]:
    """Up to `n` places that lie deep and apart."""
    left, found = np.array(depth, np.float64), []
    for _ in range(n):
        at = np.unravel_index(int(np.argmax(left)), left.shape)
        if left[at] <= 0:
            break
        found.append([int(x) for x in at])
        grid = np.indices(left.shape)
        apart = np.hypot(grid[0] - at[0], grid[1] - at[1])
        left[apart <= max(2.0, float(depth[at]))] = 0.0
    return found


@lru_cache(maxsize=1)
def _load(folder: str, device: str) -> tuple[Any, Any, str]:
    """Model, processor and device; loaded once.

    Raises:
        ConfigError: no model in the folder, no such device, or transformers is not installed.
    """
    import torch

    try:
        from transformers import AutoModelForMaskGeneration, AutoProcessor
    except ImportError as error:
        raise ConfigError(f"refiner sam wants pip install 'voxcurate[llm]' ({error})") from None
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"want sam_device auto, cpu or cuda, found {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("sam_device cuda: there is no CUDA device here")
    chosen = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    if not Path(folder, "config.json").is_file():
        raise ConfigError("refiner sam: labeling.refine.sam_folder holds no model (config.json)")
    try:
        model = AutoModelForMaskGeneration.from_pretrained(folder, local_files_only=True)
        processor = AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            folder, local_files_only=True
        )
    except (OSError, ValueError) as error:
        why = str(error).splitlines()[0].replace(folder, "<folder>")
        raise ConfigError(f"refiner sam: the model cannot be loaded: {why}") from None
    return model.eval().to(chosen), processor, chosen
