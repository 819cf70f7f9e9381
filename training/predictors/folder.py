"""A folder of ready predictions as a `Predictor`."""

from collections.abc import Iterator
from pathlib import Path

from training.predictors.ready import class_files, of_class_files, of_joint_file
from training.predictors.spec import FolderSpec, ZooModel, check_classes
from voxcurate.classes import Vocabulary
from voxcurate.errors import PredictionError, SourceError
from voxcurate.predictions import ProbabilityBox
from voxcurate.volume import Volume


class FolderPredictor:
    """Looks for a case's files by the spec's patterns; the first that finds something counts.

    Args:
        model: its spec and folder.
        vocabulary: for the names of classes.
        modality: not used.
        scratch: not used.

    Raises:
        SourceError: the folder is not there.
    """

    def __init__(
        self,
        model: ZooModel,
        vocabulary: Vocabulary,
        *,
        modality: str = "CT",
        scratch: Path | None = None,
    ) -> None:
        assert isinstance(model.spec, FolderSpec)
        if model.weights is None or not model.weights.is_dir():
            raise SourceError(f"model {model.spec.name}: no folder of ready predictions there")
        check_classes(model.spec, vocabulary)
        self.spec, self.root, self._vocabulary = model.spec, model.weights, vocabulary
        self.scratch = scratch
        self.model_id = f"{self.spec.name}-{self.spec.kind}"
        self.classes = tuple(dict.fromkeys(c for c in self.spec.classes.values() if c))
        self.training_cases: frozenset[str] = frozenset()
        self.licence = self.spec.licence

    def predict(self, volume: Volume, case_id: str = "") -> Iterator[tuple[str, ProbabilityBox]]:
        """The case's classes, one after the other.

        Raises:
            PredictionError: there is nothing of this case, or it is no prediction.
            GeometryError: it does not lie on the scan's grid.
        """
        theirs = self.spec.cases.get(case_id, case_id)
        for pattern in self.spec.files:
            wanted = pattern.replace("{case}", theirs)
            if "{class}" in wanted:
                files = class_files(self.root, wanted)
                if files:
                    yield from of_class_files(
                        files, self.spec, self._vocabulary, volume, self.spec.values
                    ).items()
                    return
            elif (self.root / wanted).is_file():
                yield from of_joint_file(
                    self.root / wanted, self.spec, self._vocabulary, volume, self.spec.values
                ).items()
                return
        raise PredictionError("no ready predictions of this case")
