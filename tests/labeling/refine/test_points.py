"""Point prompts: where they lie, how they spread, that they are the same again."""

import json

import numpy as np
import pytest

from labeling.expert.support import Support
from labeling.refine.points import choose_points, doubt_of_border, markups
from tests.labeling.refine.scenes import AFFINE, SHAPE, ball, border, scan

TRUE = ball()
WHOLE = tuple(slice(0, n) for n in SHAPE)


@pytest.mark.parametrize("n", [2, 7, 10, 30])
def test_half_lie_inside_half_outside_away_from_the_border(n):
    made = border(TRUE, scan(TRUE))
    points = choose_points(made, n)
    at = tuple((points.indices - [s.start for s in made.box]).T)
    assert points.positive.sum() == (n + 1) // 2
    assert (~points.positive).sum() == n // 2
    assert (made.depth[at][points.positive] >= made.band_mm).all()
    outside = made.depth[at][~points.positive]
    assert ((outside <= -made.band_mm) & (outside >= -2 * made.band_mm)).all()


def test_they_are_the_same_again_and_spread_out():
    made = border(TRUE, scan(TRUE))
    one, two = (choose_points(made, 10) for _ in range(2))
    assert np.array_equal(one.indices, two.indices)
    inner = one.world[one.positive]
    gaps = np.linalg.norm(inner[:, None] - inner[None], axis=2)[~np.eye(len(inner), dtype=bool)]
    assert gaps.min() > 5.0  # mm, in a core of 10 mm radius


def test_the_first_lies_where_the_models_are_unsure():
    chance = np.where(TRUE, 255, 0).astype(np.uint8)
    chance[20:] = 128  # on one side they do not know
    made = border(TRUE, scan(TRUE), support=Support(WHOLE, chance))
    doubt = doubt_of_border(made)
    start = made.box[0].start
    assert doubt[20 - start :].max() == pytest.approx(1.0)
    assert doubt[: 12 - start].max() == pytest.approx(0.0, abs=1e-6)
    points = choose_points(made, 10)
    first = [points.indices[points.positive == sign][0] for sign in (True, False)]
    assert all(index[0] > 14 for index in first)


def test_without_models_a_faint_border_is_unsure():
    step = np.where(np.indices(SHAPE)[0] < 14, 200.0, 0.0)
    made = border(TRUE, scan(TRUE, step=step))
    doubt = doubt_of_border(made)
    middle = 14 - made.box[0].start
    sharp, faint = doubt[: middle - 2], doubt[middle + 2 :]
    assert faint[faint > 0].mean() > sharp[sharp > 0].mean() + 0.3


def test_a_speck_has_few_points_and_a_whole_scan_none_outside():
    speck = choose_points(border(ball(0.5), scan(TRUE)), 10)
    assert speck.positive.sum() == 1
    whole = choose_points(border(TRUE | True, scan(TRUE)), 10)
    assert whole.positive.all()


def test_viewers_get_world_coordinates():
    points = choose_points(border(TRUE, scan(TRUE)), 4)
    told = json.loads(markups(points, "liver"))["markups"]
    assert [m["name"] for m in told] == ["liver inside", "liver outside"]
    assert {m["coordinateSystem"] for m in told} == {"RAS"}
    place = told[0]["controlPoints"][0]["position"]
    want = AFFINE[:3, :3] @ points.indices[0] + AFFINE[:3, 3]
    assert place == pytest.approx(want, abs=1e-3)
    assert [p["positive"] for p in points.plain()] == [True, True, False, False]
