"""Where it is hard: a running map of losses over the labelled cases, and draws by it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training.config import SelectiveConfig

CELLS = 6  # of the map, per axis of a case
Floats = npt.NDArray[np.float64]


class LossMap:
    """The running loss of each cell of each case that a sample was taken at.

    Drawing by loss alone runs after wrong labels: what cannot be learnt stays hard for ever.
    Losses above a quantile of the known ones therefore count as that quantile, and no place is
    drawn more than `cap` times as often as the average known place.

    Only places that a sample was taken at take room and time, however many cases there are.

    Args:
        cases: how many.
        config: quantile, cap, and how fast an old loss is forgotten.
    """

    def __init__(self, cases: int, config: SelectiveConfig) -> None:
        self._config = config
        self._shape = (cases, CELLS, CELLS, CELLS)
        self.places = np.zeros(0, dtype=np.int64)  # flat, in rising order
        self.losses = np.zeros(0, dtype=np.float64)
        self._clipped: Floats | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is a loss above zero anywhere."""
        return bool(self._hardness().any())

    def learn(self, case: int, centre: Sequence[float], shape: Sequence[int], loss: float) -> None:
        """Note a sample's loss at its centre (voxels of a case of that shape)."""
        at, place = self._find(case, centre, shape)
        if self._is_at(at, place):
            self.losses[at] += self._config.forget * (loss - self.losses[at])
        else:
            self.places = np.insert(self.places, at, place)
            self.losses = np.insert(self.losses, at, loss)
        self._clipped = None

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs."""
        return {"places": self.places.copy(), "losses": self.losses.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take a checkpoint's state."""
        self.places, self.losses = state["places"].copy(), state["losses"].copy()
        self._clipped = None

    def probabilities(self) -> Floats:
        """With which probability each of the known `places` is drawn."""
        return capped(self._hardness(), self._config.cap)

    def draw(self, generator: np.random.Generator) -> tuple[int, Floats]:
        """A case and a place in it (0 to 1 along each axis), the harder the likelier."""
        place = self.places[int(generator.choice(self.places.size, p=self.probabilities()))]
        case, *cell = np.unravel_index(place, self._shape)
        return int(case), (np.array(cell) + generator.random(3)) / CELLS

    def at(self, case: int, centre: Sequence[float], shape: Sequence[int]) -> float:
        """How hard it is there, clipped; the mean of the known where nothing is known."""
        hardness = self._hardness()
        mean = float(hardness.mean()) if hardness.size else 1.0
        at, place = self._find(case, centre, shape)
        found = float(hardness[at]) if self._is_at(at, place) else mean
        return max(found, 1e-3 * mean, 1e-12)

    def _hardness(self) -> Floats:
        if self._clipped is None:
            self._clipped = self.losses
            if self.losses.size:
                self._clipped = np.minimum(self.losses, np.quantile(self.losses, self._config.clip))
        return self._clipped

    def _find(self, case: int, centre: Sequence[float], shape: Sequence[int]) -> tuple[int, int]:
        """Where a place is, or would be, among the known; and its flat index."""
        part = np.asarray(centre) / np.asarray(shape)
        i, j, k = np.clip(part * CELLS, 0, CELLS - 1).astype(int)
        place = int(np.ravel_multi_index((case, i, j, k), self._shape))
        return int(np.searchsorted(self.places, place)), place

    def _is_at(self, at: int, place: int) -> bool:
        return at < self.places.size and int(self.places[at]) == place


def capped(weights: npt.NDArray[np.float64], cap: float) -> npt.NDArray[np.float64]:
    """Weights as probabilities of which none is above `cap` / n; what is cut off goes to the
    others in proportion (evenly if they have no weight).

    Args:
        weights: ``(n,)``, not negative, not all 0.
        cap: at least 1.
    """
    limit = cap / weights.size
    probability = weights / weights.sum()
    full = np.zeros(weights.size, dtype=bool)
    while (above := probability > limit * (1 + 1e-12)).any():
        full |= above
        rest = np.where(full, 0.0, weights)
        left = 1 - limit * full.sum()
        spread = rest / rest.sum() if rest.any() else ~full / max(1, (~full).sum())
        probability = np.where(full, limit, left * spread)
    result: npt.NDArray[np.float64] = probability / probability.sum()
    return result
