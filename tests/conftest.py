"""Shared phantoms: unequal sides and spacing, an oblique affine, so that mixed-up axes show."""

import logging
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from tests.databases import database, each_database, postgres
from voxcurate.logs import PACKAGES
from voxcurate.volume import Volume

# shared machines are slow at times: a test never fails for that
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")

__all__ = ["database", "each_database", "postgres"]  # fixtures

Triple = tuple[float, float, float]
REPOSITORY = Path(__file__).resolve().parent.parent


def rotation(x: float, y: float, z: float) -> Any:
    """Rotation by angles in radians about the world's axes, x first."""
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in (x, y, z))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def oblique_affine(
    spacing: Triple = (0.9, 1.3, 2.5),
    angles: Triple = (0.1, -0.15, 0.2),
    origin: Triple = (-37.0, 12.5, 140.0),
) -> Any:
    """Voxel to RAS+ mm, no axis along the world's."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(*angles) @ np.diag(spacing)
    affine[:3, 3] = origin
    return affine


def ellipsoid(shape: tuple[int, ...], centre: Triple, radii: Triple) -> Any:
    """Bool mask; centre and radii in voxels."""
    grid = np.ogrid[tuple(slice(0, n) for n in shape)]
    inside = sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radii, strict=True))
    return np.asarray(inside <= 1.0)


@pytest.fixture(name="oblique_affine")
def _oblique_affine():
    return oblique_affine()


@pytest.fixture
def ct():
    """A body of 40 HU with noise in air of -1000 HU: int16, 23 x 19 x 14, oblique."""
    shape = (23, 19, 14)
    body = ellipsoid(shape, (11, 9, 6.5), (9, 7, 9))
    noise = np.random.default_rng(7).integers(-20, 20, shape)
    return Volume(np.where(body, 40 + noise, -1000).astype(np.int16), oblique_affine())


@pytest.fixture
def mask():
    """Two structures that touch nothing, uint8, in the geometry of `ct`."""
    shape = (23, 19, 14)
    array = ellipsoid(shape, (8, 9, 7), (4, 3, 3)) | ellipsoid(shape, (17, 8, 5), (2, 2, 2))
    return Volume(array.astype(np.uint8), oblique_affine())


@pytest.fixture
def real_data():
    """Folder of real data, for tests marked `real_data`; skips where it is absent."""
    named = os.environ.get("VOXCURATE_DATA", "../shared/data")
    folder = (REPOSITORY / named).resolve()
    if not folder.is_dir():
        pytest.skip("no real data: VOXCURATE_DATA names no folder")
    return folder


@pytest.fixture(autouse=True)
def _heard():
    """A command sets our loggers up for its process, and a later test would hear nothing."""
    for name in PACKAGES:
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


def pytest_configure():
    """A shell ignores Ctrl-C for what it starts in the background, and so would every process that
    a test starts to interrupt it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
