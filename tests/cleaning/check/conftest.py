"""Scans of the synthetic cohort: bodies with a front, a top and a liver."""

from datetime import date

import numpy as np
import pytest

from agent.cohort.anatomy import Body
from agent.cohort.dicom_writer import make_series, write_series
from agent.cohort.person import draw_people
from agent.cohort.plan import plan_cohort
from agent.cohort.scanner import acquire, reorient
from voxcurate.volume import Volume

SEED = 301


@pytest.fixture(scope="session")
def acquired():
    """One undamaged scan as the cohort's scanner makes it."""
    people = draw_people(4, SEED)
    plan = next(p for p in plan_cohort(people, SEED) if not p.corruption and p.copy_of is None)
    return people[plan.person], acquire(plan, Body(people[plan.person], SEED), SEED)


@pytest.fixture(scope="session")
def scan(acquired):
    return Volume(acquired[1].image, acquired[1].affine)


@pytest.fixture
def series(acquired, tmp_path):
    """The same scan as a DICOM series of 20 slices: its files in slice order."""
    person, made = acquired
    straight = reorient(made, "LPS")
    spacing = np.linalg.norm(straight.affine[:3, :3], axis=0)
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    facts = make_series(person, date(2020, 1, 2), "portal_venous", SEED, 0)
    return write_series(tmp_path / "series", facts, straight.image[:, :, -20:], affine)
