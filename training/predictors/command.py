"""Any command line as a `Predictor`: it gets a file and a folder, and nothing else of ours."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from training.predictors.ready import of_class_files, of_joint_file
from training.predictors.spec import CommandSpec, PredictorSpec, ZooModel, check_classes, class_of
from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError, PredictionError
from voxcurate.isolation import keep
from voxcurate.keeper import CANNOT_START
from voxcurate.nifti import write_nifti
from voxcurate.predictions import ProbabilityBox
from voxcurate.ready_predictions import SUFFIXES, Values
from voxcurate.volume import Volume

LOG = "output.txt"
LONGEST = 60  # bytes; of the 107 that a socket's path has, Python takes some 40


class CommandPredictor:
    """Writes the scan, runs the command under a keeper, reads what it wrote.

    Args:
        model: its spec.
        vocabulary: for the names of classes.
        modality: not used.
        scratch: a folder of its own is made there for each case, and removed; None: in the
            system's folder for temporary files.
    """

    def __init__(
        self,
        model: ZooModel,
        vocabulary: Vocabulary,
        *,
        modality: str = "CT",
        scratch: Path | None = None,
    ) -> None:
        check_classes(model.spec, vocabulary)
        self.spec: PredictorSpec = model.spec
        self.weights, self.scratch, self._vocabulary = model.weights, scratch, vocabulary
        self.model_id = f"{self.spec.name}-{self.spec.kind}"
        self.classes = tuple(dict.fromkeys(c for c in self.spec.classes.values() if c))
        self.training_cases: frozenset[str] = frozenset()
        self.licence = self.spec.licence

    def predict(self, volume: Volume, case_id: str = "") -> Iterator[tuple[str, ProbabilityBox]]:
        """What the command says of a scan.

        Raises:
            ConfigError: there is no such program.
            PredictionError: it failed, wrote nothing, or something that is no prediction; its last
                output is in the scratch folder's ``<model>.log``.
            GeometryError: what it wrote does not lie on the scan's grid.
        """
        spec = self.spec
        assert isinstance(spec, CommandSpec)
        with tempfile.TemporaryDirectory(dir=self.scratch, prefix="command_") as name:
            folder = Path(name).resolve()
            given = folder / "input" / spec.input_name.replace("{case}", case_id or "case")
            out = folder / "output"
            target = out / spec.output_name.replace("{case}", case_id or "case")
            out.mkdir()
            write_nifti(given, volume)
            words = {
                "{input}": str(given),
                "{input_folder}": str(given.parent),
                "{output}": str(target),
                "{output_folder}": str(out),
                "{case}": case_id or "case",
            }
            if self.weights is not None:
                words["{weights}"] = str(self.weights.resolve())
            inherited = {key: os.environ[key] for key in spec.inherit if key in os.environ}
            with _short(folder) as temporary:
                environment = {**inherited, "TMPDIR": str(temporary), **spec.environment}
                self.run([_filled(word, words) for word in spec.command], environment, folder)
            yield from self.read(target if target.is_file() else out, volume, spec.values)

    def run(self, arguments: list[str], environment: Mapping[str, str], folder: Path) -> None:
        """Run a command line.

        Raises:
            ConfigError: there is no such program.
            PredictionError: its exit status is not 0.
        """
        log = folder / LOG
        status = keep(arguments, environment=environment, folder=folder, log=log)
        if status:
            if self.scratch is not None:
                shutil.copyfile(log, self.scratch / f"{self.spec.name}.log")
            if status == CANNOT_START:
                raise ConfigError(f"model {self.spec.name}: its program cannot be started")
            raise PredictionError(self.why(status, log.read_text(errors="replace")))

    def why(self, status: int, said: str) -> str:
        """What a failed command's exit status and last words mean."""
        return f"its command ended with exit status {status}"

    def read(
        self, out: Path, volume: Volume, values: Values
    ) -> Iterator[tuple[str, ProbabilityBox]]:
        """What a file or those of a folder hold: a file for each class, or one for all."""
        there = [out] if out.is_file() else sorted(out.rglob("*"))
        files = [p for p in there if p.is_file() and p.name.endswith(SUFFIXES)]
        if not files:
            raise PredictionError("its command wrote no volume")
        named = {_stem(path): path for path in files}
        is_known = any(class_of(self.spec, name, self._vocabulary) for name in named)
        if len(files) == 1 and not is_known:
            found = of_joint_file(files[0], self.spec, self._vocabulary, volume, values)
        else:
            found = of_class_files(named, self.spec, self._vocabulary, volume, values)
        yield from found.items()


@contextmanager
def _short(folder: Path) -> Iterator[Path]:
    """The folder by a name that leaves room for a socket's below it: those have 107 bytes.

    Tools that start processes of their own (nnU-Net's multiprocessing) put sockets there.
    """
    if len(os.fsencode(folder)) <= LONGEST:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="vc") as place:
        link = Path(place, "t")
        link.symlink_to(folder, target_is_directory=True)
        yield link


def _stem(path: Path) -> str:
    return next(path.name.removesuffix(s) for s in SUFFIXES if path.name.endswith(s))


def _filled(word: str, values: Mapping[str, str]) -> str:
    for key, value in values.items():
        word = word.replace(key, value)
    return word
