"""Which cases stay: by age, by likeness, by loss; and what is kept of them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.replay.memory import KINDS, Memory, most_alike
from training.replay.store import FILE, read_memory, write_memory
from voxcurate.errors import TrainingError


def memory(features, losses=None):
    """Cases a, b, c, ... with one observation each (None: never seen)."""
    made = Memory([chr(97 + n) for n in range(len(features))])
    for n, feature in enumerate(features):
        if feature is not None:
            made.observe(chr(97 + n), losses[n] if losses else 1.0, np.array(feature, float))
    return made


def angle(degrees):
    return [np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))]


CIRCLE = [angle(v) for v in (0, 90, 10, 180, 270, 12)]  # b, d, e stand alone; a, c, f are alike


def test_full_keeps_all_and_so_does_room_enough():
    made = memory(CIRCLE)
    assert made.trimmed("full", 2) == list("abcdef")
    for kind in KINDS:
        assert made.trimmed(kind, 6) == made.trimmed(kind, 0) == list("abcdef")


def test_linear_keeps_the_latest():
    assert memory(CIRCLE).trimmed("linear", 2) == ["e", "f"]


def test_dynamic_lets_go_what_is_most_like_another():
    assert memory(CIRCLE).trimmed("dynamic", 5) == list("abdef")  # c, f: 2 degrees; c came first
    assert memory([*CIRCLE, angle(135), angle(315)]).trimmed("dynamic", 6) == list("bdefgh")


def test_likeness_needs_enough_seen_cases_else_the_oldest_go():
    seen_three = memory([None, angle(0), angle(1), None, angle(90), None])
    assert seen_three.trimmed("dynamic", 5) == list("acdef")  # b and c are alike: b goes
    assert seen_three.trimmed("dynamic", 4) == list("cdef")  # 3 seen, 2 to go: by age
    assert memory([None] * 4).trimmed("dynamic", 2) == ["c", "d"]


def test_selective_protects_the_hardest_quarter():
    losses = [1, 1, 9, 1, 1, 1, 1, 1]  # c, of the alike ones, and the first of the others
    made = memory([*CIRCLE, angle(135), angle(315)], losses)
    assert made.trimmed("dynamic", 7) == list("abdefgh")
    assert made.trimmed("selective", 7) == list("abcdegh")  # f goes instead


@pytest.mark.parametrize("kind", KINDS)
@given(n=st.integers(0, 30), size=st.integers(1, 30), seen=st.integers(0, 30), seed=st.integers(0))
def test_as_many_stay_as_may_and_in_their_order(kind, n, size, seen, seed):
    generator = np.random.default_rng(seed)
    made = Memory([f"{k:02d}" for k in range(n)])
    for k in generator.permutation(n)[:seen]:
        made.observe(f"{k:02d}", generator.random(), generator.normal(size=3))
    kept = made.trimmed(kind, size, seed=seed)
    assert len(kept) == (n if kind == "full" else min(n, size))
    assert kept == sorted(set(kept))
    assert kept == made.trimmed(kind, size, seed=seed)


@given(n=st.integers(2, 14), drop=st.integers(1, 12), seed=st.integers(0, 10**6))
def test_most_alike_equals_a_plain_loop(n, drop, seed):
    rows = np.random.default_rng(seed).normal(size=(n, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    left, gone = list(range(n)), []
    for _ in range(min(drop, n)):
        best = {
            a: max(((rows[a] @ rows[b] + 1) / 2 for b in left if b != a), default=0) for a in left
        }
        top = max(best.values())
        gone.append(next(a for a in left if best[a] > top - 1e-12))
        left.remove(gone[-1])
    assert most_alike(rows, min(drop, n), np.ones(n, bool)) == gone


def test_reservoir_keeps_each_case_equally_often():
    made = Memory([str(n) for n in range(8)])
    kept = [c for seed in range(800) for c in made.trimmed("reservoir", 2, seed=seed)]
    assert [kept.count(str(n)) for n in range(8)] == pytest.approx([200] * 8, abs=50)


def test_running_means_halve_the_old():
    made = Memory(["a"])
    made.observe("a", 4.0, np.array([3.0, 0.0]))
    made.observe("a", 2.0, np.array([0.0, 5.0]))
    assert made.losses["a"] == 3.0
    assert made.features["a"] == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("nothing", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_a_feature_that_says_nothing_is_left_out(nothing):
    made = Memory(["a"])
    made.observe("a", 1.0, np.array(nothing))
    assert not made.features
    assert made.losses == {"a": 1.0}


def test_cases_keep_their_place():
    made = Memory(["b", "a", "b"])
    made.add(["a", "c"])
    assert made.cases == ["b", "a", "c"]


def test_it_lies_beside_the_model_without_images(tmp_path):
    made = memory(CIRCLE, [5, 4, 3, 2, 1, 0])
    write_memory(tmp_path, made)
    found = read_memory(tmp_path)
    for kind in KINDS:
        assert found.trimmed(kind, 4) == made.trimmed(kind, 4)
    stored = json.loads((tmp_path / FILE).read_text())
    assert set(stored) == {"cases", "gamma", "losses", "features"}
    assert read_memory(tmp_path / "nowhere") is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cases": 1, "gamma": 1}'])
def test_damaged_file_says_so(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(TrainingError, match="damaged"):
        read_memory(tmp_path)
