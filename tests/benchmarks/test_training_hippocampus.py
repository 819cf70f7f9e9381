"""The benchmark's frozen split, its links, and the scores that it adds up."""

import random

from benchmarks.training_hippocampus import (
    CLASSES,
    N_DEVELOPMENT,
    N_HELD_OUT,
    link,
    names,
    split,
    summarise,
)

CASES = [f"hippocampus_{n:03d}" for n in range(130)]


def test_the_split_is_frozen_and_development_stays_within_training():
    train, test = split(CASES, development=False)
    assert (len(train), len(test)) == (100, N_HELD_OUT)
    assert not set(train) & set(test)
    shuffled = CASES[:]
    random.Random(1).shuffle(shuffled)
    assert split(shuffled, development=False) == (train, test)
    inner, development = split(CASES, development=True)
    assert len(development) == N_DEVELOPMENT
    assert sorted([*inner, *development]) == train


def test_only_cases_with_a_label_count_and_are_linked(tmp_path):
    for kind in ("images", "labels"):
        (tmp_path / "data" / kind).mkdir(parents=True)
        (tmp_path / "data" / kind / "a.nii.gz").write_text(kind)
    (tmp_path / "data" / "images" / "b.nii.gz").touch()
    assert names(tmp_path / "data") == ["a"]
    link(tmp_path / "data", tmp_path / "part", ["a"])
    link(tmp_path / "data", tmp_path / "part", ["a"])
    assert (tmp_path / "part" / "labels" / "a.nii.gz").read_text() == "labels"


def test_means_over_cases():
    row = {"foreground_dice": 0.8, "union_dice": 0.9, **dict.fromkeys(CLASSES, 0.8)}
    other = {**row, "foreground_dice": 0.9}
    found = summarise({"a": row, "b": other}, 0)
    assert found["held_out_cases"] == 2
    assert found["foreground_dice"]["mean"] == 0.85
    assert found["union_dice"] == {"mean": 0.9, "interval": [0.9, 0.9]}
