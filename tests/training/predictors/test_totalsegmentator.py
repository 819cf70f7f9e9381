"""TotalSegmentator's command line: what it is told, what its failures mean, whether it is known.

The last test wants ``VOXCURATE_NNUNET_PYTHON``, the Python of an environment with
``voxcurate[zoo]``.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.training.conftest import phantom
from tests.training.predictors.conftest import make, program
from training.predictors.spec import find_model, make_spec
from training.predictors.totalsegmentator import arguments, settings
from voxcurate.errors import PredictionError

PYTHON = os.environ.get("VOXCURATE_NNUNET_PYTHON", "")
NO_WEIGHTS = """#!{python}
import sys
print("Downloading model for Task 297 ...")
sys.exit("requests.exceptions.ConnectionError: Max retries exceeded with url: /x")
"""
FAILS = """#!{python}
raise SystemExit("Downloading model for Task 297 ...\\nno such coil")
"""


@pytest.mark.parametrize(
    ("text", "why"),
    [(NO_WEIGHTS, "weights are not there and cannot be downloaded"), (FAILS, "exit status 1")],
)
def test_weights_that_cannot_be_had_are_told_from_other_failures(tmp_path, text, why):
    tool = program(tmp_path, text)
    predictor = make(tmp_path, "totalsegmentator", program=str(tool), classes={"liver": "liver"})
    with pytest.raises(PredictionError, match=why):
        list(predictor.predict(phantom(0)[0]))
    assert "Downloading" in (tmp_path / "tested.log").read_text()


def test_its_statistics_are_off_and_a_licence_number_goes_along(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"license_number": "aca_1", "x": 2}))
    assert settings(tmp_path)["license_number"] == "aca_1"
    assert settings(tmp_path)["send_usage_stats"] is False
    assert "license_number" not in settings(tmp_path / "nothing")


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON, reason="VOXCURATE_NNUNET_PYTHON names no Python of its environment")
def test_the_real_one_knows_our_words_and_classes(tmp_path):
    spec = make_spec(
        {"kind": "totalsegmentator", "licence": "x", "fast": True, "device": "cpu",
         "classes": {"liver": "liver"}}, name="t",
    )  # fmt: skip
    tool = Path(PYTHON).parent / "TotalSegmentator"
    told = subprocess.run([tool, "--help"], capture_output=True, text=True, check=True).stdout
    words = arguments(spec, tmp_path / "ct.nii.gz", tmp_path / "out")
    assert all(word in told for word in words if word.startswith("-"))
    listing = (
        "from totalsegmentator.map_to_binary import class_map as m; print(*m['total'].values())"
    )
    known = subprocess.run([PYTHON, "-c", listing], capture_output=True, text=True, check=True)
    for name in ("totalsegmentator", "totalsegmentator_fast"):
        assert set(find_model(name).spec.classes) <= set(known.stdout.split())
