"""Plans: the grid and patch that the task's numbers call for, by machine; bounds as properties."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.config import PlanningConfig, TrainingConfig
from training.planning import (
    CaseFacts,
    Machine,
    fingerprint,
    grid_spacing,
    make_plan,
    patch_shape,
    steps_within,
)
from voxcurate.config import build, merge
from voxcurate.errors import TrainingError

CONFIG = PlanningConfig()
LAPTOP, CARD = Machine(2), Machine(16, 24.0)
HIPPOCAMPUS = CaseFacts("MR", (1.0, 1.0, 1.0), (36, 50, 35), {"anterior_hippocampus": 1.6})
ABDOMEN = CaseFacts("CT", (0.8, 0.8, 1.0), (512, 512, 300), {"liver": 1500.0, "cyst": 0.02})


def plan(case, machine, n=60, **more):
    return make_plan(fingerprint([case] * n), machine, CONFIG, **more)


def test_a_small_mr_keeps_its_voxels_and_is_seen_whole():
    for machine in (LAPTOP, CARD):
        made = plan(HIPPOCAMPUS, machine)
        assert made.spacing_mm == (1.0, 1.0, 1.0)
        assert all(p >= n for p, n in zip(made.patch, HIPPOCAMPUS.shape, strict=True))
        assert made.windows is not None
        assert any("whole median scan" in reason for reason in made.reasons)


def test_an_abdomen_is_coarse_on_a_laptop_and_fine_on_a_gpu():
    assert plan(ABDOMEN, LAPTOP).spacing_mm == (3.0, 3.0, 3.0)
    assert plan(ABDOMEN, CARD).spacing_mm == (1.5, 1.5, 1.5)
    assert plan(ABDOMEN, LAPTOP).windows is None


def test_networks_go_with_the_machine_and_the_scans():
    assert plan(HIPPOCAMPUS, LAPTOP).network == CONFIG.cpu_whole_network
    assert plan(ABDOMEN, LAPTOP).network == CONFIG.cpu_network
    large = plan(ABDOMEN, CARD)
    assert large.network == CONFIG.gpu_network
    assert all(side % 32 == 0 for side in large.patch)  # six levels
    assert large.learning_rate < plan(ABDOMEN, LAPTOP).learning_rate
    assert plan(HIPPOCAMPUS, CARD).network == CONFIG.small_gpu_network
    assert plan(HIPPOCAMPUS, LAPTOP, network="unet_small").network == "unet_small"
    swin = plan(ABDOMEN, LAPTOP, network="swinunetr")
    assert all(side % 32 == 0 for side in swin.patch)


def test_thick_slices_stay_as_they_are():
    made = plan(CaseFacts("CT", (0.8, 0.8, 5.0), (512, 512, 60), {"liver": 1500.0}), LAPTOP)
    assert made.spacing_mm[2] == 5.0
    assert made.spacing_mm[0] == made.spacing_mm[1] < 5.0


def test_small_and_absent_classes_are_told():
    said = " ".join(plan(ABDOMEN, LAPTOP).warnings)
    assert "class cyst: about 3.4 mm" in said
    assert "liver" not in said
    empty = CaseFacts("CT", (1.0, 1.0, 1.0), (64, 64, 64), {"liver": 0.0})
    assert "no case has a voxel" in plan(empty, LAPTOP).warnings[0]


def test_a_slow_step_makes_patches_smaller_and_the_grid_coarser():
    full, small = plan(ABDOMEN, LAPTOP), plan(ABDOMEN, LAPTOP, shrink=0.25)
    assert math.prod(small.patch) < 0.5 * math.prod(full.patch)
    assert small.spacing_mm > full.spacing_mm


def test_a_plan_is_a_training_configuration_that_can_be_overridden():
    made = plan(HIPPOCAMPUS, LAPTOP)
    config = build(TrainingConfig, merge(made.settings(), {"grid": {"spacing_mm": [2, 2, 2]}}))
    assert config.patch == made.patch
    assert config.grid.spacing_mm == (2.0, 2.0, 2.0)
    assert config.grid.windows == made.windows


def test_one_case_means_a_batch_of_one():
    assert plan(HIPPOCAMPUS, LAPTOP, n=1).batch == 1


def test_nothing_or_two_modalities_cannot_be_planned():
    with pytest.raises(TrainingError, match="no case"):
        fingerprint([])
    with pytest.raises(TrainingError, match="one modality, found CT, MR"):
        fingerprint([HIPPOCAMPUS, ABDOMEN])


def test_medians_are_over_cases():
    cases = [
        CaseFacts("CT", (s, 1.0, 2.0), (10, 20, 30), {"liver": ml} if ml >= 0 else {})
        for s, ml in ((1.0, 2.0), (3.0, 4.0), (2.0, 0.0), (9.0, -1.0))
    ]
    found = fingerprint(cases)
    assert found.spacing == (2.5, 1.0, 2.0)
    assert found.extent_mm == (25.0, 20.0, 60.0)
    (liver,) = found.classes
    assert (liver.n_known, liver.n_drawn, liver.median_ml) == (3, 2, 3.0)


sides = st.integers(4, 600)
steps = st.floats(0.3, 6.0)


@settings(max_examples=60, deadline=None)
@given(st.tuples(sides, sides, sides), st.tuples(steps, steps, steps), st.integers(5000, 4_000_000))
def test_a_patch_fits_its_budget_and_a_grid_its_coverage(shape, spacing, voxels):
    extent = [n * s for n, s in zip(shape, spacing, strict=True)]
    grid, why = grid_spacing(spacing, extent, voxels, 0.1)
    assert why
    assert all(g >= s - 1e-3 for g, s in zip(grid, spacing, strict=True))
    on_grid = [max(1, round(e / g)) for e, g in zip(extent, grid, strict=True)]
    assert math.prod(e / g for e, g in zip(extent, grid, strict=True)) <= voxels / 0.1 * 1.05
    patch = patch_shape(on_grid, grid, voxels, 8)
    assert all(n >= 16 and n % 8 == 0 for n in patch)
    assert math.prod(patch) <= max(voxels, 16**3)
    assert all(p <= max(16, n + 7) for p, n in zip(patch, on_grid, strict=True))


def test_steps_leave_a_reserve():
    assert 0.8 * 600 < steps_within(10, 1.0) < 600
    assert steps_within(0.001, 100.0) == 1


def test_a_round_floors_its_grid_by_its_patch():
    from types import SimpleNamespace

    import numpy as np

    from training.config import GridConfig
    from training.rounds.runs import grid_spacing as of_round

    small = SimpleNamespace(shape=[36, 50, 35], affine=np.eye(4).tolist())
    wide = SimpleNamespace(shape=[300, 512, 512], affine=[[0, 0, 0.8, 0], [0, 0.8, 0, 0], [1.0, 0, 0, 0], [0, 0, 0, 1]])  # fmt: skip  # noqa: E501
    assert of_round([small], TrainingConfig()) == [1.0, 1.0, 1.0]
    assert of_round([wide], TrainingConfig()) == [3.0, 3.0, 3.0]
    floored = TrainingConfig(grid=GridConfig(floor_mm=4.0))
    assert of_round([small], floored) == [4.0, 4.0, 4.0]
