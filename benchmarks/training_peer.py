"""The peer of `benchmarks.training_speed`: training as MONAI's tutorials and users write it."""

from collections.abc import Iterator
from typing import Any

import torch
from monai.data import CacheDataset, DataLoader
from monai.losses import DiceCELoss
from monai.transforms import (
    AddCoordinateChannelsd,
    Compose,
    ConcatItemsd,
    CopyItemsd,
    EnsureTyped,
    FgBgToIndicesd,
    LoadImaged,
    MapTransform,
    Orientationd,
    RandAffined,
    RandCropByPosNegLabeld,
    RandFlipd,
    RandGaussianNoised,
    RandScaleIntensityd,
    RandShiftIntensityd,
    ScaleIntensityRanged,
    SelectItemsd,
    Spacingd,
)

from training.config import NetworkConfig, TrainingConfig
from training.network import build_network
from training.trainer.devices import pick_device, pick_precision

CLASSES = (
    "brainstem",
    "spinal_cord",
    "parotid_right",
    "parotid_left",
    "esophagus",
    "larynx",
    "mandible",
)


class AnyStructured(MapTransform):  # type: ignore[misc]  # MONAI has no types
    """One channel in which any structure is, to crop around."""

    def __call__(self, data: Any) -> Any:
        """The case with ``any``."""
        return {**data, "any": data["label"].amax(dim=0, keepdim=True)}


class Peer:
    """`CacheDataset`, `DataLoader` with workers, and the usual loop.

    As MONAI's guide to fast training has it: indices to crop around are cached, the cache is not
    copied at every sample, workers stay from epoch to epoch.
    """

    def __init__(
        self,
        files: list[dict[str, str]],
        config: TrainingConfig,
        settings: NetworkConfig,
        spacing: tuple[float, float, float],
        workers: int,
    ) -> None:
        self._config = config
        self.device = pick_device(config.device)
        self._precision = pick_precision(config.precision, self.device)
        steps = _transforms(config, spacing)
        data = CacheDataset(files, steps, progress=False, num_workers=2, copy_cache=False)
        self._loader = DataLoader(
            data,
            batch_size=config.batch,
            shuffle=True,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.device.type == "cuda",
        )
        torch.manual_seed(0)
        self._network = build_network(settings, 5, [0.01] * len(CLASSES)).to(self.device)
        self._network.train()
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self._loss = DiceCELoss(sigmoid=True, batch=True)
        self._batches = self._forever()
        self.shape: list[tuple[int, ...]] = []

    def _forever(self) -> Iterator[Any]:
        while True:
            yield from self._loader

    def steps(self, n: int) -> list[float]:
        """Losses of so many steps more."""
        return [self._step(next(self._batches)) for _ in range(n)]

    def _step(self, batch: Any) -> float:
        image = batch["image"].as_tensor().to(self.device, non_blocking=True)
        label = batch["label"].as_tensor().to(self.device, non_blocking=True).float()
        self.shape = [tuple(image.shape), tuple(label.shape)]
        self._optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._precision == "bf16"):
            logits = self._network(image)
        loss = self._loss(logits.float(), label)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), self._config.clip_norm)
        self._optimizer.step()
        value: float = loss.item()
        return value

    def close(self) -> None:
        """Stop the workers."""
        self._batches.close()  # type: ignore[attr-defined]
        self._loader._iterator = None


def _transforms(config: TrainingConfig, spacing: tuple[float, float, float]) -> Compose:
    """Load, resample and crop once (cached); the random rest at every sample."""
    soft, wide = config.grid.windows
    augment = config.augment
    angle = augment.rotation_deg * 3.1416 / 180
    return Compose(
        [
            LoadImaged(["image", *CLASSES], ensure_channel_first=True),
            ConcatItemsd(CLASSES, "label"),
            Orientationd(["image", "label"], axcodes="RAS", labels=None),
            Spacingd(["image", "label"], pixdim=spacing, mode=("bilinear", "nearest")),
            AnyStructured("label"),
            EnsureTyped(["image"], dtype=torch.float32),
            EnsureTyped(["label", "any"], dtype=torch.uint8),
            FgBgToIndicesd("any"),
            RandCropByPosNegLabeld(
                ["image", "label"],
                "any",
                config.patch,
                pos=config.foreground,
                neg=1 - config.foreground,
                num_samples=1,
                fg_indices_key="any_fg_indices",  # else it looks for them at every sample
                bg_indices_key="any_bg_indices",
                allow_smaller=False,
            ),
            RandAffined(
                ["image", "label"],
                prob=1.0,
                rotate_range=(angle,) * 3,
                scale_range=(augment.scale,) * 3,
                mode=("bilinear", "nearest"),
                padding_mode="border",
            ),
            RandFlipd(["image", "label"], prob=0.5, spatial_axis=0),
            RandScaleIntensityd("image", factors=augment.contrast, prob=1.0),
            RandShiftIntensityd("image", offsets=augment.shift_hu, prob=1.0),
            RandGaussianNoised("image", std=augment.noise_hu, prob=1.0),
            SelectItemsd(["image", "label"]),
            CopyItemsd("image", names="wide"),
            ScaleIntensityRanged("image", *soft, -1, 1, clip=True),
            ScaleIntensityRanged("wide", *wide, -1, 1, clip=True),
            AddCoordinateChannelsd("wide", spatial_dims=(0, 1, 2)),
            ConcatItemsd(["image", "wide"], "image"),
        ]
    )
