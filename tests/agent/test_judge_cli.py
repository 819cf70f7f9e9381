"""``voxcurate judge pair`` on phantoms: with trusted cases, with a server, with bad input."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from tests.labeling.conftest import AFFINE, SHAPE, phantom
from tests.labeling.vision.engines import ALL, better, right, view
from tests.servers.rude import RudeServer
from voxcurate.nifti import write_nifti
from voxcurate.volume import Volume


def run(*words):
    found = CliRunner().invoke(app, ["judge", "pair", *map(str, words)])
    return found.exit_code, found.stdout, found.stderr


def write_case(folder, seed):
    volume, masks = phantom(seed)
    write_nifti(folder / "ct.nii.gz", volume)
    for name, mask in masks.items():
        write_nifti(folder / "segmentations" / f"{name}.nii.gz", Volume(mask, AFFINE))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    root = tmp_path_factory.mktemp("judge")
    write_case(root / "case", 0)
    for seed in range(10, 17):
        write_case(root / "trusted" / f"t{seed}", seed)
    return root


@pytest.fixture
def swapped(files):
    masks = files / "case" / "segmentations"
    common = ("--scan", files / "case" / "ct.nii.gz", "--class", "left kidney")
    return masks / "kidney_right.nii.gz", masks / "kidney_left.nii.gz", *common


def test_the_better_label_wins_with_reasons(files, swapped):
    code, out, _ = run(*swapped, "--reference", files / "trusted", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["winner"], found["class"]) == ("B", "kidney_left")
    assert found["probability"] > 0.9
    assert any(reason.startswith("A: ") for reason in found["reasons"])
    code, out, _ = run(swapped[1], swapped[0], *swapped[2:], "--reference", files / "trusted")
    assert (code, out.splitlines()[0].startswith("kidney_left: A is better")) == (0, True)


def test_without_trusted_cases_the_written_anatomy_is_left(files, swapped):
    others = files / "case" / "segmentations"
    code, out, err = run(*swapped, "--others", others)
    assert code == 0
    assert out.startswith("kidney_left: B is better")
    assert "only the written anatomy" in err


def test_broken_trusted_case_is_named_and_the_others_count(files, swapped, tmp_path):
    for n, case in enumerate(sorted((files / "trusted").iterdir())):
        (tmp_path / f"t{n}").symlink_to(case)
    broken = tmp_path / "zz" / "segmentations" / "liver.nii.gz"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"no image")
    (tmp_path / "zz" / "ct.nii.gz").symlink_to(files / "case" / "ct.nii.gz")
    code, out, err = run(*swapped, "--reference", tmp_path, "--json")
    assert code == 1
    assert json.loads(out)["winner"] == "B"
    assert err.startswith("failed: zz: ")


def test_vision_model_is_asked_and_its_answers_are_kept(files, swapped, tmp_path):
    first = []

    def expert(body):
        name = body["response_format"]["json_schema"]["name"]
        images = [p for p in body["messages"][-1]["content"] if "image_url" in p]
        if name == "FieldOfView":
            return view(*ALL)
        if name == "Opinion":
            return right("yes")
        first.append(first[0] if first else images[-2])  # overlay 1 of the first request loses
        return better("2" if images[-2] == first[0] else "1")

    with RudeServer() as server:
        server.content = expert
        words = ("--engine", "engine=openai", "--engine", "model=m", "--engine")
        words = (*swapped, *words, f"base_url={server.url}", "--keep", tmp_path, "--json")
        code, out, _ = run(*words, "--engine", "concurrency=1")
        found = json.loads(out)
        assert (code, found["winner"], len(server.requests)) == (0, "B", 4)
        assert found["judge"].startswith("vision compare_v1")
        assert "A against B: B" in found["reasons"]
        again = run(*words, "--engine", "concurrency=1")
        assert json.loads(again[1]) == found
        assert len(server.requests) == 4
        text = json.dumps([b["messages"][-1]["content"][0]["text"] for b in server.requests])
        assert str(files) not in text
        code, out, _ = run(
            *words, "--reference", files / "trusted", "--set", "vision.examples=2", "--engine",
            "concurrency=1",
        )  # fmt: skip
        shown = [len(b["messages"][-1]["content"]) - 1 for b in server.requests[4:]]
        assert (code, shown) == (0, [4, 4, 3])  # two examples before each


def test_nonsense_of_a_model_is_no_winner_and_status_1(swapped):
    with RudeServer() as server:
        server.content = "red is a nice colour"
        code, out, _ = run(
            *swapped, "--engine", "engine=openai", "--engine", "model=m", "--engine",
            f"base_url={server.url}", "--json",
        )  # fmt: skip
    found = json.loads(out)
    assert (code, found["winner"], found["probability"]) == (1, None, 0.5)


def test_bad_input_is_one_error(files, swapped, tmp_path):
    small = tmp_path / "small.nii.gz"
    write_nifti(small, Volume(np.ones((4, 4, 4), np.uint8), AFFINE))
    code, _, err = run(swapped[0], small, *swapped[2:])
    assert (code, err) == (2, "error: mask B lies on another grid than the scan\n")
    moved = tmp_path / "moved.nii.gz"
    write_nifti(moved, Volume(np.ones(SHAPE, np.uint8), AFFINE + np.eye(4, k=3) * 20))
    assert run(swapped[0], moved, *swapped[2:])[0] == 2
    code, _, err = run(swapped[0], tmp_path / "none.nii.gz", *swapped[2:])
    assert (code, err) == (2, "error: mask B: no such file\n")
    code, _, err = run(swapped[0], *swapped[2:])
    assert (code, err) == (2, "error: want 2 to 26 masks, found 1\n")
    code, _, err = run(*swapped, "--engine", "engine=openai")
    assert (code, "wants `model`, and `base_url` or `server`" in err) == (2, True)
    code, _, err = run(*swapped, "--keep", tmp_path)
    assert (code, err) == (2, "error: --keep goes with --engine\n")
