"""Ready predictions as a `Predictor`: what another tool wrote, one soft or hard mask per class."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxcurate.classes import Vocabulary
from voxcurate.errors import GeometryError, SourceError, VolumeReadError
from voxcurate.volume import Volume

SUFFIX = ".nii.gz"
AFFINE_TOLERANCE_MM = 0.1


class FolderPredictor:
    """Reads ``<root>/<case>/<class>.nii.gz`` (also below ``predictions/`` or ``segmentations/``).

    Values from 0 to 1 are probabilities, uint8 above 1 are probabilities times 255. Which case is
    wanted is told by `for_case`, since a `Predictor` only sees the volume. Nobody can prove what
    the foreign model was trained on unless `training_cases` is given: without it every case counts
    as trained on.

    Args:
        root: folder of the cases.
        vocabulary: for the classes' names elsewhere.
        model_id: name of the model that made them.
        training_cases: known training cases of that model.
        case_id: the case to answer for.

    Raises:
        SourceError: the folder is missing, or holds no case with a known class.
    """

    def __init__(
        self,
        root: Path,
        vocabulary: Vocabulary,
        *,
        model_id: str,
        training_cases: frozenset[str] = frozenset(),
        licence: str = "unknown",
        case_id: str = "",
    ) -> None:
        if not root.is_dir():
            raise SourceError("no folder of ready predictions there")
        self.root = root
        self.model_id = model_id
        self.training_cases = training_cases
        self.licence = licence
        self.case_id = case_id
        self._vocabulary = vocabulary
        names = {c for folder in root.iterdir() if folder.is_dir() for c in self._files(folder)}
        if not names:
            raise SourceError("want <case>/<class>.nii.gz with classes of the vocabulary")
        self.classes = tuple(sorted(names))

    def for_case(self, case_id: str) -> "FolderPredictor":
        """The same predictions, for a case."""
        return FolderPredictor(
            self.root,
            self._vocabulary,
            model_id=self.model_id,
            training_cases=self.training_cases,
            licence=self.licence,
            case_id=case_id,
        )

    def predict(self, volume: Volume) -> dict[str, npt.NDArray[np.float32]]:
        """Probability per class of the case.

        Raises:
            SourceError: `for_case` was not called, or the case has no predictions.
            GeometryError: a prediction lies in another geometry than the volume.
            VolumeReadError: a file is broken.
        """
        from voxcurate.nifti import read_nifti

        folder = self.root / self.case_id
        if not self.case_id or not folder.is_dir():
            raise SourceError("no ready predictions of this case", case_id=self.case_id or None)
        found = {}
        for class_id, path in sorted(self._files(folder).items()):
            stored = read_nifti(path)
            if stored.shape != volume.shape or not np.allclose(
                stored.affine, volume.affine, atol=AFFINE_TOLERANCE_MM
            ):
                raise GeometryError(
                    f"prediction {class_id}: want the scan's geometry {volume.shape}, "
                    f"found {stored.shape}",
                    case_id=self.case_id,
                )
            found[class_id] = self._probability(stored.array, class_id)
        return found

    def _probability(
        self, array: npt.NDArray[np.generic], class_id: str
    ) -> npt.NDArray[np.float32]:
        values = np.asarray(array, dtype=np.float32)
        if array.dtype == np.uint8 and values.max(initial=0) > 1:
            values = values / np.float32(255)
        if values.min(initial=0) < 0 or values.max(initial=0) > 1:
            raise VolumeReadError(
                f"prediction {class_id}: want 0 to 1, found {values.min():g} to {values.max():g}",
                case_id=self.case_id,
            )
        return values

    def _files(self, folder: Path) -> dict[str, Path]:
        places = [folder, folder / "predictions", folder / "segmentations"]
        files: dict[str, Path] = {}
        for place in places:
            for path in sorted(place.glob(f"*{SUFFIX}")):
                class_id = self._vocabulary.resolve(path.name.removesuffix(SUFFIX))
                if class_id:
                    files.setdefault(class_id, path)
        return files
