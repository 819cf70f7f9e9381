"""``voxcurate predict`` and ``models``: alone, in a workspace, killed and called again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from agent.predicting import _scans
from tests.training.conftest import build, phantom
from tests.training.predictors.conftest import THRESHOLD, script
from voxcurate.catalog import WorkItem
from voxcurate.config import dump_yaml
from voxcurate.nifti import read_nifti, write_nifti
from voxcurate.predictions import open_prediction

MAIN = [sys.executable, "-c", "from agent.cli.main import main; main()"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("VOXCURATE_WORKSPACE", raising=False)
    monkeypatch.delenv("VOXCURATE_MODELS", raising=False)
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, [str(w) for w in words])


def model(folder, body=THRESHOLD, name="jaw", **values):
    """A YAML file of a command that thresholds."""
    spec = {
        "kind": "command", "licence": "CC0", "command": script(folder, body),
        "classes": {"jaw": "mandible"}, **values,
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(dump_yaml(spec))
    return path


def test_a_scan_alone(run, tmp_path):
    volume, _ = phantom(0)
    write_nifti(tmp_path / "scan.nii.gz", volume)
    yaml = model(tmp_path)
    result = run("predict", "--input", "scan.nii.gz", "--model", yaml, "--out", "out", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["made"] == {"jaw/scan": ["mandible"]}
    assert told["licences"] == {"jaw": "CC0"}
    mask = read_nifti(tmp_path / "out" / "jaw" / "scan" / "mandible.nii.gz")
    np.testing.assert_array_equal(mask.array, volume.array > 400)
    np.testing.assert_allclose(mask.affine, volume.affine, atol=1e-4)
    kept = open_prediction(tmp_path / "out" / "jaw" / "scan" / "prediction.vxp")
    assert kept.full("mandible").max() == 255


def test_a_folder_goes_on_where_it_was_and_one_bad_scan_does_not_stop_it(run, tmp_path):
    for n in range(2):
        write_nifti(tmp_path / "cases" / f"case_{n}" / "ct.nii.gz", phantom(n)[0])
    (tmp_path / "cases" / "torn.nii.gz").write_bytes(b"\x1f\x8b nothing")
    yaml = model(tmp_path)
    words = ("predict", "--input", "cases", "--model", yaml, "--out", "out", "--soft")
    result = run(*words)
    assert result.exit_code == 1
    assert "failed: jaw/torn" in result.output
    assert str(tmp_path) not in result.output
    made = tmp_path / "out" / "jaw" / "case_1" / "made.json"
    before = made.stat().st_mtime_ns
    again = run(*words, "--json")
    assert sorted(json.loads(again.stdout)["kept"]) == ["jaw/case_0", "jaw/case_1"]
    assert made.stat().st_mtime_ns == before
    assert read_nifti(made.with_name("mandible.nii.gz")).array.max() == 255
    assert not list((tmp_path / "out").rglob("*.work"))


TWO = """
image = nib.load(given)
array = np.asanyarray(image.dataobj)
for name, mask in (("jaw", array > 400), ("body", array > -300)):
    nib.save(nib.Nifti1Image(mask.astype(np.uint8), image.affine), out + f"/{name}.nii.gz")
"""


def test_a_model_before_its_scans_writes_label_maps_that_other_commands_read(run, tmp_path):
    from voxcurate.case_files import find_cases
    from voxcurate.classes import load_vocabulary

    volume, _ = phantom(0)
    write_nifti(tmp_path / "cases" / "one.nii.gz", volume)
    yaml = model(tmp_path, TWO, classes={"jaw": "kidney_lesion", "body": "kidney_left"})
    words = ("predict", yaml, "cases", "--out", "out", "--label-map", "--json")
    result = run(*words)
    assert result.exit_code == 0, result.output
    found = find_cases(tmp_path / "out", load_vocabulary())
    (case,) = found.values()
    numbers = {class_id: n for n, class_id in case.names.items()}
    painted = read_nifti(case.label_map).array
    np.testing.assert_array_equal(painted == numbers["kidney_lesion"], volume.array > 400)
    within = (volume.array > -300) & (volume.array <= 400)
    np.testing.assert_array_equal(painted == numbers["kidney_left"], within)
    assert json.loads(run(*words).stdout)["kept"]
    masks = run("predict", yaml, "cases", "--out", "masks")
    assert masks.exit_code == 0, masks.output
    assert (tmp_path / "masks" / "cases_one" / "kidney_left.nii.gz").is_file() or (
        tmp_path / "masks" / "one" / "kidney_left.nii.gz"
    ).is_file()


def test_wrong_calls_are_one_line(run, tmp_path):
    write_nifti(tmp_path / "scan.nii.gz", phantom(0)[0])
    for words, said in (
        (["--input", "scan.nii.gz"], "want --out and a model"),
        (["knee"], "want scans, or a folder"),
        (["knee", "scan.nii.gz"], "want --out and a model"),
        (["knee", "scan.nii.gz", "--model", "jaw", "--out", "o"], "not both"),
        (["x", "scan.nii.gz", "--out", "o", "--soft", "--label-map"], "holds no probabilities"),
        (["--input", "scan.nii.gz", "--model", "knee", "--out", "o"], "no model 'knee'"),
        (["--input", "scan.nii.gz", "--model", "x", "--out", "o", "--case", "a"], "--case: only"),
        (["--model", "x", "--out", "o"], "--out: only of scans alone"),
        (["--input", "none.nii", "--model", "totalsegmentator", "--out", "o"], "no such file"),
        ([], "no workspace"),
    ):
        result = run("predict", *words)
        assert result.exit_code == 2, result.output
        assert said in result.output
    bad = model(tmp_path, classes={"jaw": "jawbone"})
    result = run("predict", "--input", "scan.nii.gz", "--model", bad, "--out", "o")
    assert (result.exit_code, "no class jawbone" in result.output) == (2, True)


def test_the_list_says_why_not(run, tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    monkeypatch.setenv("PATH", "")
    lines = json.loads(run("models", "list", "--json").stdout)
    by_name = {line["name"]: line for line in lines}
    assert {"totalsegmentator", "monai_spleen"} <= by_name.keys()
    for line in lines:
        assert {"name", "kind", "classes", "licence", "available", "why_not"} <= line.keys()
        assert line["licence"]
        assert line["available"] is (not line["why_not"])
    assert "TotalSegmentator" in by_name["totalsegmentator"]["why_not"]
    assert "VOXCURATE_MODELS" in by_name["monai_spleen"]["why_not"]
    assert run("models", "list").exit_code == 0


SLOW = """
import os, pathlib
log = pathlib.Path(__file__).with_name("log.txt")
def note(word):
    with log.open("a") as stream:
        stream.write(f"{word} {os.path.basename(given)} {os.getpid()}\\n")
note("begun")
time.sleep(1.0)
image = nib.load(given)
mask = (np.asanyarray(image.dataobj) > 400).astype(np.uint8)
nib.save(nib.Nifti1Image(mask, image.affine), out + "/jaw.nii.gz")
note("ended")
"""


def lines(path):
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.slow
def test_killed_in_the_middle_nothing_is_lost_and_nothing_done_twice(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    world = build(tmp_path)
    root = world.ctx.workspace.root
    (root / "zoo").mkdir()
    model(root / "zoo", SLOW, input_name="{case}.nii.gz")
    log = root / "zoo" / "log.txt"
    words = [*MAIN, "predict", "--model", "jaw", "-w", str(root), "--set", "predict.workers=2"]

    def done():
        found = world.ctx.catalog.rows(WorkItem, stage="predict", status="done")
        return {line.subject: line.updated for line in found}

    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(done()) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before, begun = done(), lines(log)
    assert 2 <= len(before) < 6
    deadline = time.monotonic() + 10
    tools = [int(pid) for word, _, pid in begun if word == "begun"]
    while any(map(_running, tools)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_running, tools)), "a tool outlived the command that started it"

    again = subprocess.run(words, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    after = done()
    assert len(after) == 6
    assert {case: after[case] for case in before} == before
    # a set: a tool that was being started at the kill may still have written its first line
    runs = {case.removesuffix(".nii.gz") for word, case, _ in lines(log)[len(begun) :]
            if word == "begun"}  # fmt: skip
    assert runs == after.keys() - before.keys()
    for case_id in after:
        (path,) = root.glob(f"predictions/*/*/{case_id}.vxp")
        np.testing.assert_array_equal(
            open_prediction(path).full("mandible") > 0,
            read_nifti(root / "scans" / case_id / "ct.nii.gz").array > 400,
        )
    assert not list((root / "tmp").rglob("*"))
    third = subprocess.run([*words, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(third.stdout)["counts"]["predicted"] == 0
    world.ctx.catalog.close()


def _running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_in_a_workspace_cases_models_and_what_is_missing(run, tmp_path):
    world = build(tmp_path, splits=("train", "train", "test"))
    root = world.ctx.workspace.root
    result = run("predict", "-w", root)
    assert result.exit_code == 2
    assert "--model" in result.output
    result = run("predict", "-w", root, "--model", model(tmp_path), "--case", "nobody")
    assert (result.exit_code, "no scan nobody" in result.output) == (2, True)
    result = run("predict", "-w", root, "--model", model(tmp_path), "--case", "phantom_1", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["counts"]["predicted"] == 1
    listed = json.loads(run("models", "list", "-w", root, "--json").stdout)
    assert "totalsegmentator" in [line["name"] for line in listed]
    world.ctx.catalog.close()


def test_both_commands_have_help_with_an_example_and_are_documented():
    import typer

    group = typer.main.get_command(app)
    docs = Path(__file__).parents[2] / "docs"
    found = {"predict": group.commands["predict"],
             "models list": group.commands["models"].commands["list"]}  # fmt: skip
    for name, command in found.items():
        assert f"Example: voxcurate {name}" in command.help
        assert f"voxcurate {name}" in (docs / "cli.md").read_text()
        assert all(getattr(p, "help", None) for p in command.params if p.name != "help")


def test_every_kind_and_setting_is_in_the_guide():
    from training.predictors.spec import KINDS, PredictorSpec

    text = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    for kind in KINDS:
        assert f"**`{kind}`**" in text
    wanted = set(PredictorSpec.model_fields) - {"name", "description"}
    assert [name for name in wanted if f"`{name}`" not in text] == []


def test_what_predict_writes_is_what_attention_takes(run, tmp_path):
    volume, _ = phantom(0)
    write_nifti(tmp_path / "scan.nii.gz", volume)
    shifted = THRESHOLD.replace("> 400", "> 600")
    yamls = [model(tmp_path, name="one")]
    (tmp_path / "b").mkdir()
    yamls.append(model(tmp_path / "b", shifted, name="two"))
    words = [w for yaml in yamls for w in ("--model", yaml)]
    result = run("predict", "--input", "scan.nii.gz", *words, "--out", "out", "--soft")
    assert result.exit_code == 0, result.output
    result = run("attention", "--predictions", "out/one", "--predictions", "out/two",
                 "--out", "maps", "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "mandible" in result.stdout


def test_what_somebody_else_put_into_the_folder_of_results_stays(run, tmp_path):
    volume, masks = phantom(0)
    write_nifti(tmp_path / "scans" / "one" / "ct.nii.gz", volume)
    write_nifti(tmp_path / "scans" / "two.nii.gz", volume)
    yaml = model(tmp_path)
    before = {p: p.read_bytes() for p in (tmp_path / "scans").rglob("*.nii.gz")}
    result = run("predict", yaml, "scans", "--out", "scans", "--label-map")
    assert (result.exit_code, "would be overwritten" in result.output) == (2, True)
    for _ in range(2):  # its own masks are no scans
        result = run("predict", yaml, "scans", "--out", "scans")
        assert result.exit_code == 0, result.output
        assert len(list((tmp_path / "scans").rglob("made.json"))) == 2
    assert {p: p.read_bytes() for p in before} == before
    drawn = Path("truth/two/mandible.nii.gz")
    write_nifti(drawn, volume.with_array(masks["mandible"]))
    own = drawn.read_bytes()
    result = run("predict", yaml, "scans/two.nii.gz", "--out", "truth")
    assert (result.exit_code, "would be overwritten" in result.output) == (2, True)
    assert drawn.read_bytes() == own
    assert run("predict", yaml, "scans/two.nii.gz", "--out", "new").exit_code == 0
    case = next(Path("new").glob("*two"))
    (case / "notes.txt").write_text("mine")
    again = run("predict", yaml, "scans/two.nii.gz", "--out", "new", "--label-map")
    assert again.exit_code == 0, again.output
    assert [p.name for p in case.iterdir()] == ["notes.txt"]


def test_what_was_taken_away_is_made_again(run, tmp_path):
    write_nifti(tmp_path / "scans" / "one.nii.gz", phantom(0)[0])
    yaml = model(tmp_path)
    for form, name in ((["--label-map"], "one.nii.gz"), ([], "one/mandible.nii.gz")):
        words = ("predict", yaml, "scans", "--out", "out", *form)
        assert run(*words).exit_code == 0
        (tmp_path / "out" / name).unlink()
        assert run(*words).exit_code == 0
        assert (tmp_path / "out" / name).is_file()


def test_a_scan_that_the_system_refuses_is_named_and_the_others_go_on(run, tmp_path):
    write_nifti(tmp_path / "scans" / "one.nii.gz", phantom(0)[0])
    (tmp_path / "scans" / "gone.nii.gz").symlink_to(tmp_path / "nowhere.nii.gz")
    result = run("predict", model(tmp_path), "scans", "--out", "out")
    assert result.exit_code == 1, result.output
    assert "gone: ct: cannot read the file: No such file" in result.output
    assert (tmp_path / "out" / "one" / "mandible.nii.gz").is_file()


def test_series_in_folders_of_one_name_are_told_apart(tmp_path):
    for place in ("p1/images", "p2/images", "p3"):
        path = tmp_path / "all" / place / "1.dcm"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(128) + b"DICM")
    assert {name for name, _ in _scans([tmp_path / "all"])} == {"p1_images", "p2_images", "p3"}
    ((name, _),) = _scans([tmp_path / "all" / "p1" / "images"])
    assert name == "images"


HOLD = """
import sys
from pathlib import Path
from agent.predicted_files import claimed
with claimed(Path(sys.argv[1]), sys.argv[2:]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_calls_at_once_never_share_a_case(run, tmp_path):
    for name in ("one", "two"):
        write_nifti(tmp_path / "scans" / f"{name}.nii.gz", phantom(0)[0])
    yaml = model(tmp_path)
    held = [sys.executable, "-c", HOLD, str(tmp_path / "out"), "one"]
    with subprocess.Popen(held, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        result = run("predict", yaml, "scans", "--out", "out")
        assert (result.exit_code, "is at one in this --out" in result.output) == (2, True)
        assert not list((tmp_path / "out").glob("*.nii.gz"))
        assert run("predict", yaml, "scans/two.nii.gz", "--out", "out").exit_code == 0
        other.kill()
    assert run("predict", yaml, "scans", "--out", "out").exit_code == 0
    assert (tmp_path / "out" / "one" / "mandible.nii.gz").is_file()


def test_nothing_is_predicted_where_nothing_can_be_written(run, tmp_path):
    write_nifti(tmp_path / "scan.nii.gz", phantom(0)[0])
    (tmp_path / "out").write_text("in the way")
    result = run("predict", model(tmp_path), "scan.nii.gz", "--out", "out")
    assert (result.exit_code, "nothing can be written" in result.output) == (2, True)


def test_label_maps_of_other_classes_keep_their_numbers(run, tmp_path):
    write_nifti(tmp_path / "scan.nii.gz", phantom(0)[0])
    words = ("scan.nii.gz", "--out", "o", "--label-map")
    assert run("predict", model(tmp_path), *words).exit_code == 0
    before = (tmp_path / "o" / "labels.json").read_text()
    two = model(tmp_path, TWO, "two", classes={"jaw": "mandible", "body": "liver"})
    result = run("predict", two, *words)
    assert (result.exit_code, "labels.json of other classes" in result.output) == (2, True)
    assert (tmp_path / "o" / "labels.json").read_text() == before


@pytest.mark.parametrize("name", ["models/model.pt", "configs/metadata.json", "classes.json"])
def test_a_damaged_bundle_is_one_error_before_any_scan_is_read(run, tmp_path, name):
    from tests.training.bundle.test_folder import facts, network
    from training.bundle.folder import write_bundle

    write_bundle(tmp_path / "jaw", facts(), network().state_dict())
    for n in range(2):
        write_nifti(tmp_path / "scans" / f"{n}.nii.gz", phantom(n)[0])
    path = tmp_path / "jaw" / name
    path.write_bytes(path.read_bytes()[:-10])
    world = build(tmp_path, splits=("train", "test"))
    workspace = ("--model", tmp_path / "jaw", "-w", world.ctx.workspace.root)
    world.ctx.catalog.close()
    for words in (["jaw", "scans", "--out", "out"], workspace):
        result = run("predict", *words)
        assert result.exit_code == 2, result.output
        assert result.output.count("error: model jaw: ") == 1
        assert "damaged" in result.output or "not a" in result.output
    assert not (tmp_path / "out").exists()


def test_no_name_of_a_case_is_an_option_a_hidden_file_or_too_long(tmp_path):
    long = "/".join(["a folder with a long name " + "x" * 60] * 4)
    for inside in ("--warm/ct", "warm/ct", "..odd", "two\nlines", "-", f"{long}/{'y' * 100}"):
        path = tmp_path / "all" / f"{inside}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    names = [name for name, _ in _scans([tmp_path / "all"])]
    cut = max(names, key=len)
    assert len(cut) < 140
    assert sorted({*names} - {cut}) == ["scan", "two_lines", "warm", "warm_2"]
    assert names == [name for name, _ in _scans([tmp_path / "all"])]


def test_a_class_that_only_the_bundle_knows_is_in_its_label_maps(run, tmp_path):
    from tests.training.bundle.test_folder import facts, network
    from training.bundle.folder import write_bundle

    own = facts(classes=("pituitary_stalk", "spleen"))
    write_bundle(tmp_path / "stalk", own, network().state_dict())
    write_nifti(tmp_path / "scan.nii.gz", phantom(0)[0])
    result = run("predict", "stalk", "scan.nii.gz", "--out", "out", "--label-map", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["made"] == {"stalk/scan": ["pituitary_stalk", "spleen"]}
    numbers = json.loads((tmp_path / "out" / "labels.json").read_text())["labels"]
    assert numbers == {"background": 0, "pituitary_stalk": 1, "spleen": 2}
