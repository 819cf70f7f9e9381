"""Draws the labels of every scan, some of them wrong, and writes them as their source does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent.cohort.config import CohortConfig
from agent.cohort.label_errors import Mask, dsc
from agent.cohort.labels import KINDS, annotate, can_plant, plant
from agent.cohort.layouts import DATASETS, UNET_VALUES, annotated_classes
from agent.cohort.nifti_writer import write_mask, write_nifti
from agent.cohort.plan import ScanPlan
from agent.cohort.scanner import Acquired
from agent.cohort.tissues import CLASSES
from agent.cohort.truth import Truth

_OTHER_KIDNEY = {"kidney_left": "kidney_right", "kidney_right": "kidney_left"}


@dataclass
class _Job:
    plan: ScanPlan
    truth: Acquired  # the image is dropped
    key: str
    entry: dict[str, Any]
    classes: tuple[str, ...]


class LabelWriter:
    """Collects scans, then decides where the errors go and writes all labels.

    Args:
        cohort: folder of the sources.
        config: share of errors and seed.
    """

    def __init__(self, cohort: Path, config: CohortConfig) -> None:
        self.cohort, self.config = cohort, config
        self.jobs: list[_Job] = []

    def add(self, plan: ScanPlan, scan: Acquired, key: str, entry: dict[str, Any]) -> None:
        """Remember a scan's truth."""
        rng = np.random.default_rng([self.config.seed, 9, plan.index])
        light = Acquired(np.zeros((0, 0, 0), np.int16), scan.organs, scan.tumor, scan.affine)
        self.jobs.append(_Job(plan, light, key, entry, annotated_classes(plan, rng)))

    def write(self, truth: Truth) -> int:
        """Write every label; returns how many (scan, class) pairs are labelled."""
        chosen = self._choose_errors()
        for job in self.jobs:
            drawn = self._draw(job, chosen)
            if job.plan.source == "unetdemo":
                drawn = self._write_map(job, drawn)
            elif job.classes:
                self._write_masks(job, drawn)
            self._record(job, drawn, chosen, truth)
        return sum(len(job.classes) for job in self.jobs)

    def _choose_errors(self) -> dict[tuple[int, str], str]:
        """(scan index, class) -> kind, at the configured share, all kinds in turn."""
        rng = np.random.default_rng([self.config.seed, 10])
        jobs = [job for job in self.jobs if not job.plan.corruption and not job.plan.copy_kind]
        pairs = [(job, name) for job in jobs for name in job.classes]
        wanted = round(self.config.label_error_share * len(pairs))
        chosen: dict[tuple[int, str], str] = {}
        turn = 0
        while len(chosen) < wanted and turn < 4 * wanted + len(KINDS):
            kind = KINDS[turn % len(KINDS)]
            turn += 1
            fits = [
                (job, name)
                for job, name in pairs
                if (job.plan.index, name) not in chosen
                and can_plant(kind, name, job.truth.masks(), complete=_is_complete(job, name))
                and (kind != "left_right_swap" or "kidney_right" in job.classes)
                and (job.plan.index, _OTHER_KIDNEY.get(name, "")) not in chosen
            ]
            if not fits:
                continue
            job, name = fits[int(rng.integers(len(fits)))]
            chosen[job.plan.index, name] = kind
            if kind == "left_right_swap":
                chosen[job.plan.index, _OTHER_KIDNEY[name]] = kind
        return chosen

    def _draw(self, job: _Job, chosen: dict[tuple[int, str], str]) -> dict[str, Mask]:
        masks = job.truth.masks()
        drawn = {}
        for name in job.classes:
            seed = [self.config.seed, 11, job.plan.index, CLASSES.index(name)]
            kind = chosen.get((job.plan.index, name))
            if kind is None:
                drawn[name] = annotate(masks[name], np.random.default_rng(seed))
            else:
                drawn[name] = plant(kind, name, masks, job.truth.affine, seed).mask
        return drawn

    def _write_masks(self, job: _Job, drawn: dict[str, Mask]) -> None:
        """One file per class; the hospital draws no file for what is not there."""
        source = self.cohort / job.plan.source
        if job.plan.source == "northclinic":
            folder = source / "masks" / job.key
        else:
            folder = source / job.plan.name / "segmentations"
        folder.mkdir(parents=True, exist_ok=True)
        for name, mask in drawn.items():
            if mask.any() or job.plan.source != "northclinic":
                write_mask(folder / f"{name}.nii.gz", mask, job.truth.affine)

    def _write_map(self, job: _Job, drawn: dict[str, Mask]) -> dict[str, Mask]:
        """One label map; where drawings overlap the later class wins, as the result says."""
        labelmap = np.zeros(job.truth.organs.shape, np.uint8)
        for value, name in UNET_VALUES.items():
            labelmap[drawn[name]] = value
        path = self.cohort / job.plan.source / "labelsTr" / f"{job.plan.name}.nii.gz"
        write_nifti(path, labelmap, job.truth.affine)
        return {name: labelmap == value for value, name in UNET_VALUES.items()}

    def _record(
        self,
        job: _Job,
        drawn: dict[str, Mask],
        chosen: dict[tuple[int, str], str],
        truth: Truth,
    ) -> None:
        masks = job.truth.masks()
        voxel_ml = float(np.prod(job.truth.spacing)) / 1000
        for name, mask in drawn.items():
            kind = chosen.get((job.plan.index, name), "")
            score = round(dsc(mask, masks[name]), 4)
            wrong_ml = round(int((mask ^ masks[name]).sum()) * voxel_ml, 3)
            job.entry["labels"][name] = {
                "error": kind,
                "dsc": score,
                "wrong_ml": wrong_ml,
                "is_stated": bool(mask.any()) or _is_complete(job, name),
            }
            if kind:
                truth.label_errors.append(
                    {
                        "source": job.plan.source,
                        "key": job.key,
                        "class": name,
                        "kind": kind,
                        "dsc": score,
                    }
                )


def _is_complete(job: _Job, name: str) -> bool:
    return name in DATASETS[job.plan.source].get("complete", ())
