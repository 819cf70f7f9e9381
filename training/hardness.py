"""Where it is hard: a running map of losses over the labelled cases, and draws by it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from training.config import SelectiveConfig

CELLS = 6  # of the map, per axis of a case


class LossMap:
    """The running loss of each cell of each case; NaN where no sample was taken yet.

    Drawing by loss alone runs after wrong labels: what cannot be learnt stays hard for ever.
    Losses above a quantile of the known ones therefore count as that quantile, and no place is
    drawn more than `cap` times as often as the average known place.

    Args:
        cases: how many.
        config: quantile, cap, and how fast an old loss is forgotten.
    """

    def __init__(self, cases: int, config: SelectiveConfig) -> None:
        self._config = config
        self.values = np.full((cases, CELLS, CELLS, CELLS), np.nan, dtype=np.float32)
        self._known: tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]] | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is a loss above zero anywhere."""
        return bool(self._weights()[1].sum() > 0)

    def learn(self, case: int, centre: Sequence[float], shape: Sequence[int], loss: float) -> None:
        """Note a sample's loss at its centre (voxels of a case of that shape)."""
        cell = (case, *_cell(centre, shape))
        old = self.values[cell]
        step = self._config.forget * (loss - old)
        self.values[cell] = loss if np.isnan(old) else old + step
        self._known = None

    def restore(self, values: npt.NDArray[np.float32]) -> None:
        """Take a checkpoint's losses."""
        self.values = values.copy()
        self._known = None

    def probabilities(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
        """The known places (flat) and with which probability each is drawn."""
        places, clipped = self._weights()
        return places, capped(clipped, self._config.cap)

    def draw(self, generator: np.random.Generator) -> tuple[int, npt.NDArray[np.float64]]:
        """A case and a place in it (0 to 1 along each axis), the harder the likelier."""
        places, probability = self.probabilities()
        place = places[int(generator.choice(places.size, p=probability))]
        case, *cell = np.unravel_index(place, self.values.shape)
        return int(case), (np.array(cell) + generator.random(3)) / CELLS

    def at(self, case: int, centre: Sequence[float], shape: Sequence[int]) -> float:
        """How hard it is there, clipped; the mean of the known where nothing is known."""
        _, clipped = self._weights()
        mean = float(clipped.mean()) if clipped.size else 1.0
        loss = float(self.values[(case, *_cell(centre, shape))])
        found = mean if np.isnan(loss) else min(loss, float(clipped.max()))
        return max(found, 1e-3 * mean, 1e-12)

    def _weights(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
        if self._known is None:
            places = np.flatnonzero(~np.isnan(self.values))
            losses = self.values.ravel()[places].astype(np.float64)
            if losses.size:
                losses = np.minimum(losses, np.quantile(losses, self._config.clip))
            self._known = places, losses
        return self._known


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


def _cell(centre: Sequence[float], shape: Sequence[int]) -> tuple[int, int, int]:
    part = np.asarray(centre) / np.asarray(shape)
    i, j, k = np.clip(part * CELLS, 0, CELLS - 1).astype(int)
    return int(i), int(j), int(k)
