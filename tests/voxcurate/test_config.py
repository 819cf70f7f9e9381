"""Layers of configuration, overrides, and errors that name the setting."""

import pytest
from pydantic import Field

from voxcurate.config import Config, build, merge, parse_overrides, read_yaml, shipped
from voxcurate.errors import ConfigError


class Inner(Config):
    steps: int = Field(10, ge=1)
    names: tuple[str, ...] = ()


class Outer(Config):
    seed: int = 0
    inner: Inner = Field(default_factory=Inner)


def test_later_layers_win_and_lists_are_replaced():
    config = build(
        Outer,
        {"seed": 1, "inner": {"steps": 5, "names": ["a", "b"]}},
        {"inner": {"names": ["c"]}},
    )
    assert config == Outer(seed=1, inner=Inner(steps=5, names=("c",)))


def test_overrides_nest_and_values_are_yaml():
    layer = parse_overrides(["inner.steps=7", "inner.names=[x, y]", "seed=3"])
    assert layer == {"inner": {"steps": 7, "names": ["x", "y"]}, "seed": 3}


@pytest.mark.parametrize("pair", ["steps", "=3", "  =3"])
def test_override_without_key_or_value_is_refused(pair):
    with pytest.raises(ConfigError, match="key=value"):
        parse_overrides([pair])


def test_unknown_key_and_bad_value_are_named_with_their_path():
    with pytest.raises(ConfigError, match=r"inner\.step: no such setting"):
        build(Outer, {"inner": {"step": 3}})
    with pytest.raises(ConfigError, match=r"inner\.steps: .*greater than or equal to 1.*got 0"):
        build(Outer, {"inner": {"steps": 0}})


class Whole(Config):
    outer: Outer = Field(default_factory=Outer)
    maybe: Inner | None = None
    by_name: dict[str, Inner] = Field(default_factory=dict)
    several: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        ({"outr": 1}, "outr: no such setting, the nearest is outer"),
        ({"outer": {"inner": {"stpes": 1}}}, "the nearest is outer.inner.steps"),
        ({"step": 1}, "step: no such setting, the nearest is outer.inner.steps"),
        ({"maybe": {"step": 1}}, "maybe.step: no such setting, the nearest is maybe.steps"),
        ({"by_name": {"a": {"step": 1}}}, "the nearest is by_name.a.steps"),
        ({"several": [{"step": 1}]}, "the nearest is several.0.steps"),
        ({"xyz": 1}, "xyz: no such setting$"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_known_one(layer, told):
    with pytest.raises(ConfigError, match=told):
        build(Whole, layer)


def test_a_problem_is_told_with_the_layer_that_has_it():
    layers = {"outer": {"inner": {"steps": 0}}, "a": 1}, {"outer": {"sed": 1}}, {"maybe": {}}
    with pytest.raises(ConfigError) as told:
        build(Whole, *layers, names=["below", "w/round.yaml", "--set"])
    assert set(str(told.value).split("; ")) == {
        "below: outer.inner.steps: Input should be greater than or equal to 1, got 0",
        "below: a: no such setting",
        "w/round.yaml: outer.sed: no such setting, the nearest is outer.seed",
    }
    with pytest.raises(ConfigError, match=r"^above: several\.0\.step: no such setting"):
        build(Whole, {"several": []}, {"several": [{"step": 1}]}, names=["below", "above"])


def test_merge_changes_neither_side():
    below, above = {"a": {"b": 1}}, {"a": {"c": 2}}
    assert merge(below, above) == {"a": {"b": 1, "c": 2}}
    assert (below, above) == ({"a": {"b": 1}}, {"a": {"c": 2}})


def test_config_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Outer().seed = 4


def test_yaml_errors_are_clear(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("a: [1")
    with pytest.raises(ConfigError, match=r"bad\.yaml is not YAML"):
        read_yaml(bad)
    bad.write_text("- 1")
    with pytest.raises(ConfigError, match="want a mapping, found list"):
        read_yaml(bad)
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)


def test_shipped_files_are_found():
    assert shipped("classes.yaml").is_file()
