"""Classes by any of their names; unknown ones are errors that help."""

from pathlib import Path

import pytest

from agent.asked_classes import asked_classes, classes_there
from voxcurate.case_files import CaseFiles
from voxcurate.classes import load_vocabulary
from voxcurate.errors import ConfigError

VOCABULARY = load_vocabulary()
MASKS = CaseFiles("a", {"liver": Path("l"), "my_thing": Path("m")})
NAMED = CaseFiles("b", label_map=Path("b"), names={1: "spleen"})
UNNAMED = CaseFiles("c", label_map=Path("c"))


def test_any_name_of_a_class_is_understood_and_counts_once():
    assert asked_classes(["Liver", "liver", "SPLEEN"], VOCABULARY) == ["liver", "spleen"]
    there = classes_there([MASKS, NAMED])
    assert there == {"liver", "my_thing", "spleen"}
    assert asked_classes(["my_thing", "Spleen"], VOCABULARY, there) == ["my_thing", "spleen"]


def test_maps_without_names_may_hold_any_number():
    there = classes_there([MASKS, UNNAMED])
    assert asked_classes(["17", "liver"], VOCABULARY, there) == ["17", "liver"]
    with pytest.raises(ConfigError, match="no class 'spleen'"):
        asked_classes(["spleen"], VOCABULARY, there)
    with pytest.raises(ConfigError, match="no class '17'"):
        asked_classes(["17"], VOCABULARY, classes_there([NAMED]))


def test_what_is_near_is_told_else_what_there_is():
    with pytest.raises(ConfigError, match="in the vocabulary; near it: pancreas"):
        asked_classes(["pancras"], VOCABULARY)
    with pytest.raises(ConfigError, match="in these files; there are: liver, my_thing, spleen"):
        asked_classes(["xyz"], VOCABULARY, classes_there([MASKS, NAMED]))
    with pytest.raises(ConfigError, match=r"and \d+ more"):
        asked_classes(["xyzxyz"], VOCABULARY)
