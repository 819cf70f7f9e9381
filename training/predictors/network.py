"""Bare MONAI networks with a file of weights; the spec says how their input is made."""

from pathlib import Path

import numpy as np

from training.predictors.sliding import (
    Prepared,
    Recipe,
    SlidingPredictor,
    activated,
    axes_between,
    body_on_grid,
    cutter,
    device_of,
    read_state,
)
from training.predictors.spec import NetworkSpec, ZooModel, class_of
from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError
from voxcurate.geometry import reorient, resample
from voxcurate.volume import Volume

OVERLAP = 0.5


class NetworkPredictor(SlidingPredictor):
    """A `Predictor` over a class of ``monai.networks.nets``.

    Args:
        model: its spec and file of weights.
        vocabulary: for the names of its channels.
        modality: of the scans; CT is searched for the body.
        scratch: folder for temporary files; None: the system\'s.

    Raises:
        ConfigError: no such network, or weights that do not fit it.
    """

    def __init__(
        self,
        model: ZooModel,
        vocabulary: Vocabulary,
        *,
        modality: str = "CT",
        scratch: Path | None = None,
    ) -> None:
        from monai.networks import nets

        spec, weights = model.spec, model.weights
        assert isinstance(spec, NetworkSpec)
        assert weights is not None
        kind = getattr(nets, spec.architecture, None)
        if kind is None:
            raise ConfigError(f"model {spec.name}: MONAI has no network {spec.architecture!r}")
        try:
            network = kind(**spec.arguments)
            network.load_state_dict(read_state(weights, spec.state_key, spec.prefix))
        except (TypeError, ValueError) as error:
            why = f"{spec.architecture} cannot be built so: {error}"
            raise ConfigError(f"model {spec.name}: {why}") from None
        except RuntimeError:
            raise ConfigError(f"model {spec.name}: the weights do not fit the network") from None
        chosen = channel_classes(spec, vocabulary)
        device = device_of(spec)
        network.to(device).eval()
        recipe = Recipe(
            model_id=f"{spec.name}-{spec.kind}",
            classes=tuple(chosen.values()),
            licence=spec.licence,
            network=activated(network, spec.activation, list(chosen)),
            patch=spec.patch,
            overlap=OVERLAP if spec.overlap is None else spec.overlap,
            device=device,
            prepare=lambda volume: prepare(volume, spec, modality == "CT" and spec.body_only),
        )
        super().__init__(recipe, scratch, floor=spec.floor)


def channel_classes(spec: NetworkSpec, vocabulary: Vocabulary) -> dict[int, str]:
    """Channel number to our class, of the channels that we keep.

    Raises:
        ConfigError: no channel is a class of ours.
    """
    if spec.channels:
        named = {n: class_of(spec, name, vocabulary) for n, name in enumerate(spec.channels)}
    else:
        named = {int(key): value for key, value in spec.classes.items() if key.isdigit()}
    chosen = {n: class_id for n, class_id in sorted(named.items()) if class_id}
    if not chosen:
        raise ConfigError(f"model {spec.name}: want `classes`: channel number to our class")
    return chosen


def prepare(volume: Volume, spec: NetworkSpec, body_only: bool) -> Prepared:
    """A scan in the network's orientation, spacing and intensities."""
    turned = reorient(volume, spec.orientation)
    grid = resample(turned, spec.spacing_mm, order=1, anti_alias=False)
    (low, high), (first, last) = spec.window, spec.scaled_to
    image = np.clip(grid.array.astype(np.float32), low, high)
    image -= np.float32(low)
    image *= np.float32((last - first) / (high - low))
    image += np.float32(first)
    axes = axes_between(volume, grid.affine)
    body = body_on_grid(volume, axes, grid.shape) if body_only else None
    return Prepared(cutter(image[None], spec.patch, first), grid.shape, axes, body)
