"""Descriptions of sources: patterns, what a draft leaves open, and the shipped ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxcurate.classes import load_vocabulary
from voxcurate.config import build, shipped
from voxcurate.errors import ConfigError, SourceError
from voxcurate.sources import (
    MaskSource,
    Pattern,
    ReportSource,
    SourceConfig,
    load_source,
    shipped_sources,
    unfinished,
)

PLAIN = st.text(st.characters(exclude_characters="/\n", codec="utf-8"), min_size=1)


@pytest.mark.parametrize(
    ("pattern", "path", "fields"),
    [
        ("{case}/ct.nii.gz", "pt_1/ct.nii.gz", {"case": "pt_1"}),
        ("{case}/ct.nii.gz", "a/pt_1/ct.nii.gz", None),
        ("{case}/ct.nii.gz", "pt_1/ctXnii.gz", None),
        ("images/{case}_0000.nii.gz", "images/a_b_0000.nii.gz", {"case": "a_b"}),
        ("images{part}/{case}.nii.gz", "imagesTr/x.nii.gz", {"part": "Tr", "case": "x"}),
        ("{case}/{case}.nii.gz", "a/a.nii.gz", {"case": "a"}),
        ("{case}/{case}.nii.gz", "a/b.nii.gz", None),
        ("*/{case}.nii.gz", "any/b.nii.gz", {"case": "b"}),
        ("**/{case}.nii.gz", "b.nii.gz", {"case": "b"}),
        ("**/{case}.nii.gz", "x/y/b.nii.gz", {"case": "b"}),
        ("{case}[1].nii", "b[1].nii", {"case": "b"}),
        ("{case}[1].nii", "b1.nii", None),
    ],
)
def test_a_pattern_fits_whole_components(pattern, path, fields):
    assert Pattern(pattern).match(path) == fields


@given(PLAIN, PLAIN)
def test_filling_and_matching_are_inverse_whatever_the_name(case, name):
    scan = Pattern("scans/{case}/ct.nii.gz")
    path = f"scans/{case}/ct.nii.gz"
    fields = scan.match(path)
    assert fields == {"case": case}
    mask = Pattern("masks/{case}/{class}.nii.gz").fill(fields)
    files = sorted([f"masks/{case}/{name}.nii.gz", f"masks/{case}/a/b.nii.gz", f"masks/{name}"])
    assert list(mask.select(files)) == [(f"masks/{case}/{name}.nii.gz", {"class": name})]


@given(st.lists(st.sampled_from("abcAB/._{*"), max_size=8).map("".join), st.data())
def test_select_finds_what_matching_every_path_finds(prefix, data):
    paths = sorted({prefix + data.draw(st.text("ab/_", max_size=6)) for _ in range(20)})
    pattern = Pattern("a{case}_*b")
    expected = [(p, f) for p in paths if (f := pattern.match(p)) is not None]
    assert list(pattern.select(paths)) == expected


def test_a_mask_says_what_its_values_are():
    mask = MaskSource(path="{case}.nii.gz", labels={1: "liver", 2: ("liver", "liver_tumor")})
    assert mask.is_map
    assert mask.classes_of(1) == ("liver",)
    assert mask.classes_of(2) == ("liver", "liver_tumor")
    assert mask.classes_of(3) is None
    assert not MaskSource(path="{case}/{class}.nii.gz").is_map


@pytest.mark.parametrize(
    "data",
    [
        {"name": "a", "scans": "/abs/{case}.nii.gz"},
        {"name": "a", "scans": "../{case}.nii.gz"},
        {"name": "a", "scans": "x", "masks": [{"path": "../y"}]},
        {"name": "A b", "scans": "x"},
        {"name": "a"},
        {"name": "a", "scans": "x", "reports": [{"path": "r.csv", "keys": {"colour": "c"}}]},
    ],
)
def test_wrong_descriptions_are_refused(data):
    with pytest.raises(ConfigError):
        build(SourceConfig, data)


def test_a_source_of_reports_alone_is_one():
    source = build(SourceConfig, {"name": "a", "reports": [{"path": "r.csv"}]})
    assert source.reports[0].is_table
    assert not ReportSource(path="{case}.txt").is_table


def test_todo_is_found_wherever_it_stands():
    data = {"a": "TODO", "masks": [{"labels": {1: "liver", 2: "TODO"}}, {"classes": {"x": "TODO"}}]}
    assert unfinished(data) == ["a", "masks[0].labels.2", "masks[1].classes.x"]
    assert unfinished({"a": ["ok", 3, None]}) == []


def test_a_draft_is_not_loaded_before_it_is_finished(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: a\nscans: '{case}.nii.gz'\nmodality: TODO\n")
    with pytest.raises(SourceError, match=r"mine.yaml still says TODO at: modality"):
        load_source(path)


def test_a_wrong_file_is_named_without_its_folder(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: a\nscans: x\ncolour: red\n")
    with pytest.raises(SourceError, match=r"mine.yaml: colour: no such setting") as error:
        load_source(path)
    assert str(tmp_path) not in str(error.value)


@pytest.mark.parametrize("name", shipped_sources())
def test_shipped_descriptions_are_right(name):
    source = load_source(shipped("sources", f"{name}.yaml"))
    vocabulary = load_vocabulary()
    assert source.name == name
    for mask in source.masks:
        for value in mask.labels:
            assert all(class_id in vocabulary for class_id in mask.classes_of(value))
    assert all(class_id in vocabulary for class_id in source.complete)
