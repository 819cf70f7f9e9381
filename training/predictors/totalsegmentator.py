"""TotalSegmentator as a `Predictor`: its command line, in the environment where it is installed.

Its usage statistics are switched off: it gets a configuration folder of its own for each case
(``TOTALSEG_HOME_DIR``), whose ``config.json`` says so, and it never sees the user's. A licence
number that the user has set goes along; the weights stay where they are.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from training.predictors.command import CommandPredictor
from training.predictors.spec import TotalSegmentatorSpec
from voxcurate.nifti import write_nifti
from voxcurate.predictions import ProbabilityBox
from voxcurate.volume import Volume

INHERITED = ("PATH", "LANG", "LC_ALL", "USER", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")


class TotalSegmentatorPredictor(CommandPredictor):
    """Runs ``TotalSegmentator`` for the classes of the spec; its masks are hard."""

    def predict(self, volume: Volume, case_id: str = "") -> Iterator[tuple[str, ProbabilityBox]]:
        """The classes that the spec names, one after the other.

        Raises:
            ConfigError: the program is not there.
            PredictionError: it failed or wrote nothing.
        """
        spec = self.spec
        assert isinstance(spec, TotalSegmentatorSpec)
        with tempfile.TemporaryDirectory(dir=self.scratch, prefix="totalseg_") as name:
            folder = Path(name).resolve()
            given, out, home = folder / "ct.nii.gz", folder / "output", folder / "home"
            write_nifti(given, volume)
            home.mkdir()
            (home / "config.json").write_text(json.dumps(settings(user_folder())))
            self.run(arguments(spec, given, out), environment(spec, home, self.weights), folder)
            yield from self.read(out, volume, "mask")

    def why(self, status: int, said: str) -> str:
        """Weights that it lacks and cannot download are told as such."""
        if "Downloading model" in said and "requests.exceptions" in said:
            return "its weights are not there and cannot be downloaded; set `weights` to a folder"
        return super().why(status, said)


def arguments(spec: TotalSegmentatorSpec, given: Path, out: Path) -> list[str]:
    """Its command line."""
    words = [spec.program, "-i", str(given), "-o", str(out), "--task", spec.task]
    wanted = sorted(theirs for theirs, ours in spec.classes.items() if ours)
    if wanted and spec.task in {"total", "total_mr"}:
        words += ["--roi_subset", *wanted]
    if spec.fast:
        words.append("--fast")
    if spec.device:
        words += ["--device", spec.device]
    return words


def environment(spec: TotalSegmentatorSpec, home: Path, weights: Path | None) -> dict[str, str]:
    """Its variables: ours of no concern to it stay out."""
    kept = {key: os.environ[key] for key in INHERITED if key in os.environ}
    place = weights.resolve() if weights else user_folder() / "nnunet" / "results"
    own = {
        "HOME": str(home),
        "TMPDIR": str(home),
        "TOTALSEG_HOME_DIR": str(home),
        "TOTALSEG_WEIGHTS_PATH": str(place),
    }
    return {**kept, **own, **spec.environment}


def settings(user: Path) -> dict[str, object]:
    """Its configuration: no statistics, no name; the user's licence number if there is one."""
    found: dict[str, object] = {
        "totalseg_id": "totalseg_none",
        "send_usage_stats": False,
        "prediction_counter": 0,
        "statistics_disclaimer_shown": True,
    }
    try:
        number = json.loads((user / "config.json").read_text()).get("license_number")
    except (OSError, ValueError, AttributeError):
        number = None
    return {**found, "license_number": number} if number else found


def user_folder() -> Path:
    """Where the user's own configuration and weights are."""
    given = os.environ.get("TOTALSEG_HOME_DIR")
    return Path(given) if given else Path.home() / ".totalsegmentator"
