"""The plain peer of `benchmarks.training_rounds`: a MONAI U-Net as a competent user writes it.

Same grid, patch, batch, steps and optimiser as the flagship, at a rate of its own; MONAI's
transforms, `CacheDataset`, `DataLoader`, a softmax with Dice and cross-entropy in which a class
that nobody drew counts as background, sliding window, and back to the scan's voxels. Nothing of
ours but the metric. Other ways to write it were tried and learn slower (docs/LOG.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import CacheDataset, DataLoader, MetaTensor
from monai.inferers import sliding_window_inference
from monai.networks.nets import UNet
from monai.transforms import (
    Compose,
    ConcatItemsd,
    CopyItemsd,
    EnsureTyped,
    MapTransform,
    Orientationd,
    RandAffined,
    RandCropByPosNegLabeld,
    RandGaussianNoised,
    RandScaleIntensityd,
    RandShiftIntensityd,
    ResampleToMatch,
    ScaleIntensityRanged,
    ScaleIntensityRangePercentiles,
    SelectItemsd,
    Spacingd,
    SpatialPadd,
)

from voxcurate.metrics import dsc, nsd
from voxcurate.nifti import read_nifti

WINDOWS = ((-160.0, 240.0), (-1000.0, 1500.0))
RATE, DECAY, WARMUP = 1e-3, 1e-4, 0.05
FOREGROUND = 0.75
OVERLAP = 0.35
ANGLE, SCALE = 0.14, 0.12


@dataclass(frozen=True)
class PlainCase:
    """A scan and its masks; a class that is not there was not drawn, None is an empty mask."""

    case_id: str
    image: Path
    modality: str
    masks: Mapping[str, Path | None]


def train_and_score(
    train: Sequence[PlainCase],
    test: Sequence[PlainCase],
    tolerance_mm: Mapping[str, float],
    sizes: Mapping[str, Any],
    seed: int,
) -> tuple[dict[str, dict[str, dict[str, float]]], dict[str, Any]]:
    """Scores (name -> class -> case) on the test cases, and facts of the training.

    Args:
        train: labels may be partial.
        test: in the classes that were drawn.
        tolerance_mm: of NSD, by class; gives the classes.
        sizes: ``steps``, ``batch``, ``patch``, ``spacing_mm``.
        seed: of weights, crops and augmentation.
    """
    classes = sorted(tolerance_mm)
    torch.manual_seed(seed)
    network = UNet(
        spatial_dims=3, in_channels=len(WINDOWS), out_channels=1 + len(classes),
        channels=(16, 32, 64, 128), strides=(2, 2, 2), num_res_units=1,
    )  # fmt: skip
    wanted = sizes["device"]
    device = torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")
    network.to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    steps = int(sizes["steps"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=steps + 1, pct_start=WARMUP, anneal_strategy="cos"
    )
    batches = _batches(train, classes, sizes, seed)
    for _ in range(steps):
        batch = next(batches)
        target = batch["label"].as_tensor().to(device).float()
        known = batch["known"].to(device).float()[:, :, None, None, None]
        optimizer.zero_grad(set_to_none=True)
        loss = masked_loss(network(batch["image"].as_tensor().to(device)), target, known)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    scores = _scores(network.eval(), device, test, classes, tolerance_mm, sizes)
    parameters = sum(p.numel() for p in network.parameters())
    return scores, {"steps": steps, "training_cases": len(train), "parameters": parameters}


def masked_loss(logits: torch.Tensor, target: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Soft Dice over the batch and cross-entropy; unknown classes are one with the background.

    Args:
        logits: ``(B, 1 + C, I, J, K)``, background first.
        target: ``(B, C, I, J, K)``, 0 or 1.
        known: ``(B, C, 1, 1, 1)``, 1 where the class was drawn in the case.
    """
    share = torch.softmax(logits, 1)[:, 1:] * known
    drawn = target * known
    drawn = drawn / drawn.sum(1, keepdim=True).clamp_min(1)  # where two were drawn
    axes = (0, 2, 3, 4)
    seen = (known.sum(axes) > 0).float()
    dice = 1 - (2 * (share * drawn).sum(axes) + 1e-5) / ((share + drawn).sum(axes) + 1e-5)
    found, wanted = (torch.cat([1 - p.sum(1, keepdim=True), p], 1) for p in (share, drawn))
    cross = -(wanted * found.clamp_min(1e-6).log()).sum(1).mean()
    return (dice * seen).sum() / seen.sum().clamp_min(1) + cross


class AnyStructured(MapTransform):  # type: ignore[misc]
    """One channel in which any structure is, to crop around."""

    def __call__(self, data: Any) -> Any:
        """The case with ``any``."""
        return {**data, "any": data["label"].amax(dim=0, keepdim=True)}


def _batches(
    cases: Sequence[PlainCase], classes: Sequence[str], sizes: Mapping[str, Any], seed: int
) -> Iterator[Any]:
    patch = tuple(sizes["patch"])
    both = ["image", "label"]
    random = [
        RandCropByPosNegLabeld(
            [*both, "any"], "any", patch, pos=FOREGROUND, neg=1 - FOREGROUND, num_samples=1
        ),
        RandAffined(
            both, prob=1.0, rotate_range=(ANGLE,) * 3, scale_range=(SCALE,) * 3,
            mode=("bilinear", "nearest"), padding_mode="border",
        ),
        RandScaleIntensityd("image", factors=0.1, prob=1.0),
        RandShiftIntensityd("image", offsets=20.0, prob=1.0),
        RandGaussianNoised("image", std=10.0, prob=0.5),
        *_windows(),
        SelectItemsd([*both, "known"]),
    ]  # fmt: skip
    pipeline = Compose(
        [
            Orientationd(both, axcodes="RAS", labels=None),
            Spacingd(both, pixdim=sizes["spacing_mm"], mode=("bilinear", "nearest")),
            SpatialPadd(both, patch, value=0),
            AnyStructured("label"),
            EnsureTyped("image", dtype=torch.float32),
            EnsureTyped(["label", "any"], dtype=torch.uint8),
            *random,
        ]
    )
    pipeline.set_random_state(seed)
    data = CacheDataset([_read(case, classes) for case in cases], pipeline, progress=False)
    order = torch.Generator().manual_seed(seed)
    loader = DataLoader(
        data, batch_size=min(int(sizes["batch"]), len(cases)), shuffle=True, generator=order,
        drop_last=True,
    )  # fmt: skip
    while True:
        yield from loader


def _windows() -> list[Any]:
    soft, wide = WINDOWS
    return [
        CopyItemsd("image", names="wide"),
        ScaleIntensityRanged("image", *soft, -1, 1, clip=True),
        ScaleIntensityRanged("wide", *wide, -1, 1, clip=True),
        ConcatItemsd(["image", "wide"], "image"),
    ]


def _read(case: PlainCase, classes: Sequence[str]) -> dict[str, Any]:
    scan = read_nifti(case.image)
    affine = torch.from_numpy(scan.affine.copy())
    masks = np.zeros((len(classes), *scan.shape), np.uint8)
    for n, name in enumerate(classes):
        path = case.masks.get(name)
        if path is not None:
            masks[n] = read_nifti(path).array > 0
    image = MetaTensor(torch.from_numpy(np.asarray(scan.array, np.float32)[None]), affine=affine)
    if case.modality != "CT":
        image = ScaleIntensityRangePercentiles(1, 99, *WINDOWS[0])(image)
    return {
        "image": image,
        "label": MetaTensor(torch.from_numpy(masks), affine=affine),
        "known": torch.tensor([float(name in case.masks) for name in classes]),
    }


@torch.no_grad()
def _scores(
    network: torch.nn.Module,
    device: torch.device,
    cases: Sequence[PlainCase],
    classes: Sequence[str],
    tolerance_mm: Mapping[str, float],
    sizes: Mapping[str, Any],
) -> dict[str, dict[str, dict[str, float]]]:
    prepare = Compose(
        [
            Orientationd("image", axcodes="RAS", labels=None),
            Spacingd("image", pixdim=sizes["spacing_mm"], mode="bilinear"),
            *_windows(),
        ]
    )
    found: dict[str, dict[str, dict[str, float]]] = {
        name: {c: {} for c in classes} for name in ("dsc", "nsd")
    }
    for case in cases:
        whole = _read(case, classes)
        image = prepare({"image": whole["image"]})["image"]
        logits = sliding_window_inference(
            image[None].as_tensor().to(device), sizes["patch"], 4, network, overlap=OVERLAP,
            mode="gaussian",
        )  # fmt: skip
        soft = MetaTensor(torch.softmax(logits[0], 0).cpu(), affine=image.affine)
        back = ResampleToMatch(mode="bilinear", padding_mode="zeros")(soft, whole["image"])
        classified = back.argmax(0).numpy()
        spacing = tuple(float(s) for s in whole["image"].pixdim)
        for n, name in enumerate(classes):
            if name not in case.masks:
                continue
            truth = whole["label"][n].numpy() > 0
            mine = classified == 1 + n
            allowed = max(tolerance_mm[name], float(np.linalg.norm(spacing)))
            values = {"dsc": dsc(mine, truth), "nsd": nsd(mine, truth, spacing, allowed)}  # type: ignore[arg-type]
            for kind, value in values.items():
                if not np.isnan(value):
                    found[kind][name][case.case_id] = round(float(value), 5)
    return found
