"""The predict stage with models that hang, eat memory or write rubbish: the others go on."""

from dataclasses import replace

import pytest

from tests.training.conftest import World, build, phantom
from tests.training.predictors.conftest import script, their_bundle
from tests.training.predictors.test_nnunet import trained_folder
from training import predict
from training.config import PredictConfig
from training.predictors.command import CommandPredictor
from training.predictors.spec import ZooModel, make_spec
from voxcurate.catalog import Scan
from voxcurate.classes import load_vocabulary
from voxcurate.config import dump_yaml
from voxcurate.errors import ConfigError
from voxcurate.predictions import open_prediction

HEAD = """
image = nib.load(given)
array = np.asanyarray(image.dataobj)
mask = (array > 400).astype(np.uint8)
def save(values, name="mandible", affine=image.affine):
    nib.save(nib.Nifti1Image(values, affine), out + "/" + name + ".nii.gz")
"""
RUBBISH = {
    "hangs": ("time.sleep(600)", "took longer than 15 s"),
    "eats": ("eaten = []\nwhile True:\n    eaten.append(bytearray(50 << 20)); time.sleep(0.02)",
             "more than its 700 MB"),
    "fails": ("sys.exit(3)", "exit status 3"),
    "writes nothing": ("pass", "wrote no volume"),
    "wrong shape": ("save(mask[1:])", "want the scan's shape"),
    "another place": ("a = image.affine.copy(); a[0, 3] += 30; save(mask, affine=a)",
                      "mm away from the scan"),
    "wrong classes": ("save(mask, 'gobbledygook'); save(mask, 'drivel')",
                      "none of its classes is known"),
    "NaN": ("save(np.where(mask, np.nan, 0).astype(np.float32))", "NaN"),
    "logits": ("save(array.astype(np.float32))", "found -1032 to"),
    "strange labels": ("save((mask * 77).astype(np.int16), 'all')", "does not name: 77"),
    "torn file": ("open(out + '/mandible.nii.gz', 'wb').write(b'\\x1f\\x8b rubbish')", "mandible"),
    "a liar": ("import struct\nheader = nib.Nifti1Header(); header.set_data_dtype(np.uint8)\n"
               "header['dim'][:4] = (3, 30000, 30000, 30000); header['magic'] = b'n+1'\n"
               "open(out + '/mandible.nii', 'wb').write(header.binaryblock + bytes(100))",
               "mandible"),
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = build(tmp_path_factory.mktemp("limits"), splits=("train", "test"))
    yield made
    made.ctx.catalog.close()


def command(world: World, folder, body, **limits):
    """A registered command; `body` runs for the first case only, the second gets its masks."""
    text = HEAD + "import os\nif os.path.basename(given).startswith('phantom_0'):\n"
    text += "".join(f"    {line}\n" for line in body.splitlines()) + "else:\n    save(mask)\n"
    values = {
        "kind": "command", "licence": "CC0", "command": script(folder, text),
        "input_name": "{case}.nii.gz", "classes": {"mandible": "mandible", "1": "mandible"},
        **limits,
    }  # fmt: skip
    model = ZooModel(make_spec(values, name="tool"), None)
    return predict.register(world.ctx, model, world.ctx.vocabulary)


@pytest.mark.parametrize(
    "kind",
    [pytest.param(k, marks=[pytest.mark.slow] if k == "hangs" else []) for k in sorted(RUBBISH)],
)
def test_one_case_fails_with_its_reason_the_other_is_predicted(world, tmp_path, kind):
    body, why = RUBBISH[kind]
    limits = {"time_limit_s": 15.0} if kind == "hangs" else {"time_limit_s": 120.0}
    model = command(world, tmp_path, body, memory_limit_mb=700, **limits)
    result = predict.run(world.ctx, PredictConfig(), [model])
    assert result.counts["predicted"] == 1
    (told,) = result.failed.values()
    assert why in told
    assert str(tmp_path) not in told
    found = open_prediction(predict.prediction_paths(world.ctx, model.model_id)["phantom_1"])
    assert found.full("mandible").max() == 255
    assert found.meta["licence"] == "CC0"
    assert not found.out_of_fold  # nobody said what trained it
    assert list(world.ctx.workspace.scratch.iterdir()) == []


def network(kind, folder):
    """A model whose network wants about 1.5 GB and some seconds for a window."""
    if kind == "bundle":
        return their_bundle(folder, side=96, features=32)
    pytest.importorskip("nnunetv2")
    return trained_folder(folder, patch=(96, 96, 96), features=(32, 32))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bundle", "nnunet"])
def test_a_network_over_its_limits_is_stopped_and_with_wider_ones_goes_on(world, tmp_path, kind):
    folder = network(kind, tmp_path / "model")

    def run(**limits):
        spec = {"kind": kind, "licence": "CC0", "weights": str(folder), **limits}
        model = ZooModel(make_spec(spec, name="heavy"), folder)
        registered = predict.register(world.ctx, model, world.ctx.vocabulary)
        return predict.run(world.ctx, PredictConfig(), [registered], cases=["phantom_0"])

    for limits, why in (
        ({"memory_limit_mb": 950.0}, "more than its 950 MB"),
        ({"time_limit_s": 1.0}, "took longer than 1 s"),
    ):
        result = run(**limits)
        (told,) = result.failed.values()
        assert why in told
        assert list(world.ctx.workspace.scratch.iterdir()) == []
    assert run(memory_limit_mb=8000.0).counts["predicted"] == 1


SOCKETS = """
if __name__ == "__main__":
    from multiprocessing import Manager
    with Manager():
        image = nib.load(given)
        mask = np.zeros(image.shape, np.uint8)
        nib.save(nib.Nifti1Image(mask, image.affine), out + "/mandible.nii.gz")
"""


def test_a_tool_may_open_sockets_however_deep_the_folder_lies(tmp_path):
    deep = tmp_path / ("a-long-name-of-a-folder-" * 4)
    deep.mkdir()
    values = {"kind": "command", "licence": "CC0", "command": script(tmp_path, SOCKETS)}
    model = ZooModel(make_spec(values, name="tool"), None)
    tool = CommandPredictor(model, load_vocabulary(), scratch=deep)
    (found,) = tool.predict(phantom(0)[0], "phantom_0")
    assert found[0] == "mandible"
    assert list(deep.iterdir()) == []


def test_what_a_failed_command_said_is_kept(world, tmp_path):
    model = command(world, tmp_path, "print('no such coil'); sys.exit(1)")
    predict.run(world.ctx, PredictConfig(), [model])
    log = world.ctx.workspace.root / "logs" / "predict" / "phantom_0_tool.log"
    assert "no such coil" in log.read_text()


def test_what_is_vouched_for_is_out_of_fold(world, tmp_path):
    model = command(world, tmp_path, "save(mask)", trained_on=["phantom_1"])
    predict.run(world.ctx, PredictConfig(), [model])
    paths = predict.prediction_paths(world.ctx, model.model_id)
    assert open_prediction(paths["phantom_0"]).out_of_fold
    assert not open_prediction(paths["phantom_1"]).out_of_fold


def test_models_of_the_round_come_from_the_workspace(world, tmp_path):
    folder = world.ctx.workspace.root / predict.FOLDER
    folder.mkdir(exist_ok=True)
    values = {"kind": "command", "licence": "CC0", "classes": {"mandible": "mandible"},
              "command": script(tmp_path, HEAD + "save(mask)")}  # fmt: skip
    (folder / "jaw.yaml").write_text(dump_yaml(values))
    config = PredictConfig(models=("jaw",))
    (model,) = predict.external_models(world.ctx, config)
    assert (model.name, model.licence, model.architecture) == ("jaw", "CC0", "command")
    first = predict.run(world.ctx, config, [model])
    again = predict.run(world.ctx, config, predict.external_models(world.ctx, config))
    assert (first.counts["predicted"], again.counts["predicted"]) == (2, 0)
    with pytest.raises(ConfigError, match="no model 'knee'"):
        predict.external_models(world.ctx, PredictConfig(models=("knee",)))


def test_a_class_that_nobody_knows_is_told_before_anything_runs(world):
    values = {"kind": "command", "licence": "CC0", "command": "true", "classes": {"a": "appendyx"}}
    model = ZooModel(make_spec(values, name="tool"), None)
    with pytest.raises(ConfigError, match="appendyx"):
        predict.register(world.ctx, model, world.ctx.vocabulary)


def test_only_the_cases_asked_for(world, tmp_path):
    model = command(world, tmp_path, "save(mask)  # only one")
    result = predict.run(world.ctx, PredictConfig(), [model], cases=["phantom_1"])
    assert (result.counts["scans"], result.counts["predicted"]) == (1, 1)


def test_old_rounds_predictions_go_and_are_made_again_when_wanted(tmp_path):
    world = build(tmp_path / "drop", splits=("train",))
    model = command(world, tmp_path, "save(mask)")
    keep = PredictConfig(keep_rounds=1)
    predict.run(world.ctx, keep, [model])
    path = predict.prediction_paths(world.ctx, model.model_id)["phantom_0"]
    second = world.of_round(2)
    predict.run(second, keep, [model])  # takes round 1's file over
    assert predict.drop_predictions(second, keep) == 0
    assert path.is_file()
    third = world.of_round(3)
    assert predict.drop_predictions(third, keep) == 1
    assert not path.is_file()
    assert predict.drop_predictions(third, keep) == 0
    assert predict.run(third, keep, [model]).counts["predicted"] == 1
    assert predict.prediction_paths(third, model.model_id)["phantom_0"].is_file()
    assert predict.run(third, keep, [model]).counts["predicted"] == 0
    world.ctx.catalog.close()


def test_each_process_takes_a_gpu_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "_claims", [])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert predict.gpus() == ["3", "5"]
    given = [predict.claim_gpu(tmp_path).get("CUDA_VISIBLE_DEVICES") for _ in range(3)]
    assert given == ["3", "5", None]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert predict.claim_gpu(tmp_path) == {}


def test_a_file_that_other_settings_have_written_over_is_made_again(world, tmp_path):
    model = command(world, tmp_path, "save(mask)")
    scan = world.ctx.catalog.one(Scan, case_id="phantom_1")

    def predicted(sha256):
        with world.ctx.catalog.write() as writer:
            writer.put(replace(scan, sha256=sha256))
        found = predict.run(world.ctx, PredictConfig(), [model], cases=["phantom_1"])
        return found.counts["predicted"]

    assert [predicted(x) for x in ("one", "one", "two", "one", "one")] == [1, 0, 1, 1, 0]
