"""A model's YAML file: what it may say, and where its weights are looked for."""

import pytest

from tests.training.predictors.conftest import VOCABULARY, their_bundle
from training.predictors.listing import describe, list_models
from training.predictors.ready import class_files
from training.predictors.spec import (
    KINDS,
    CommandSpec,
    check_classes,
    class_of,
    find_model,
    listed,
    make_spec,
    read_model,
)
from voxcurate.config import dump_yaml
from voxcurate.errors import ConfigError

FOLDER = {"kind": "folder", "licence": "CC0", "weights": "ready"}


@pytest.fixture(autouse=True)
def _no_model_folder(monkeypatch):
    monkeypatch.delenv("VOXCURATE_MODELS", raising=False)


def written(path, **values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dump_yaml({**FOLDER, **values}))
    return path


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"kind": "oracle"}, "want kind: bundle, network"),
        ({"licence": ""}, "licence"),
        ({"licence": None}, "licence"),
        ({"weights": ""}, "weights"),
        ({"spacing": [1, 1, 1]}, "spacing: no such setting"),
        ({"time_limit_s": 0}, "time_limit_s"),
        ({"memory_limit_mb": -5}, "memory_limit_mb"),
        ({"trained_on": "nowhere"}, "trained_on"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(values, why):
    with pytest.raises(ConfigError, match="model m: ") as found:
        make_spec({**FOLDER, **values}, name="m")
    assert why in str(found.value)


def test_keys_of_classes_may_be_numbers_and_their_values_empty():
    spec = make_spec({**FOLDER, "classes": {1: "liver", 2: None}}, name="m")
    assert spec.classes == {"1": "liver", "2": ""}
    assert class_of(spec, "1", VOCABULARY) == "liver"
    assert class_of(spec, "2", VOCABULARY) == ""
    assert class_of(spec, "Gall-Bladder", VOCABULARY) == "gall_bladder"  # the vocabulary knows it
    assert class_of(spec, "what", VOCABULARY) == ""
    with pytest.raises(ConfigError, match="no class lever"):
        check_classes(make_spec({**FOLDER, "classes": {1: "lever"}}, name="m"), VOCABULARY)


def test_a_command_may_be_one_line():
    line = "tool --in '{input}' \"--out={output}\""
    spec = make_spec({"kind": "command", "licence": "MIT", "command": line}, name="m")
    assert isinstance(spec, CommandSpec)
    assert spec.command == ("tool", "--in", "{input}", "--out={output}")


def test_weights_lie_in_the_model_folder_else_beside_the_file(tmp_path, monkeypatch):
    path = written(tmp_path / "yaml" / "m.yaml")
    lost = read_model(path)
    assert lost.weights is None
    assert "no ready" in lost.missing
    (tmp_path / "yaml" / "ready").mkdir()
    assert read_model(path).weights == tmp_path / "yaml" / "ready"
    (tmp_path / "models" / "ready").mkdir(parents=True)
    monkeypatch.setenv("VOXCURATE_MODELS", str(tmp_path / "models"))
    assert read_model(path).weights == tmp_path / "models" / "ready"
    (tmp_path / "other" / "ready").mkdir(parents=True)
    assert read_model(path, tmp_path / "other").weights == tmp_path / "other" / "ready"


def test_names_are_looked_up_in_their_order(tmp_path):
    written(tmp_path / "mine" / "totalsegmentator.yaml")
    assert find_model("totalsegmentator", [tmp_path / "mine"]).spec.kind == "folder"
    assert find_model("totalsegmentator").spec.kind == "totalsegmentator"
    with pytest.raises(ConfigError, match="monai_spleen"):
        find_model("nobody")


def test_a_bundles_folder_is_a_model_as_it_is(tmp_path):
    model = find_model(str(their_bundle(tmp_path / "bundle")))
    line = describe(model, VOCABULARY)
    assert (line.kind, line.classes, line.why_not) == ("bundle", ("mandible",), "")
    with pytest.raises(ConfigError, match="want a model"):
        find_model(str(tmp_path))


def test_shipped_models_are_right():
    assert listed().keys() >= {"totalsegmentator", "totalsegmentator_fast", "monai_spleen"}
    for path in listed().values():
        check_classes(read_model(path).spec, VOCABULARY)
    assert {read_model(path).spec.kind for path in listed().values()} <= set(KINDS)


def test_a_wrong_file_is_a_line_of_the_list(tmp_path):
    (tmp_path / "bad.yaml").write_text("kind: oracle\n")
    (line,) = [line for line in list_models(VOCABULARY, [tmp_path]) if line.name == "bad"]
    assert "want kind" in line.why_not


def test_patterns_of_class_files(tmp_path):
    for name in ("c/seg_liver.nii.gz", "c/seg_spleen.nii.gz", "c/ct.nii.gz", "c/.seg_x.nii.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert set(class_files(tmp_path, "c/seg_{class}.nii.gz")) == {"liver", "spleen"}
    assert set(class_files(tmp_path, "c/{class}.nii.gz")) == {"seg_liver", "seg_spleen", "ct"}
    assert class_files(tmp_path, "d/{class}.nii.gz") == {}
