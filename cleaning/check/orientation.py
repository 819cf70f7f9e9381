"""Do a scan's axes agree with the anatomy? Which axis runs head to foot, front, top, left.

Four questions, each answered with a score whose sign is the answer and whose size is how clearly
the body says it. A header is contradicted only by a clear score; whatever the body does not show
(a thigh has no front) stays without one.

- *Along*: scans end in the middle of the body where the scanner stopped, so the cross-section drops
  to nothing from one plane to the next along the true axis only.
- *Front*: gas in bowels and throat lies before the spine, the spine behind the body's middle.
- *Top*: lungs have the belly on one side and the narrow neck on the other; without lungs, a neck
  lies between the head and the wider shoulders.
- *Right*: below the lungs the liver fills the right, stomach gas and fat lie left. Organs may lie
  the other way round in a healthy person, so this one never rejects.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cleaning.check.anatomy import Anatomy

AXES = ("left-right", "back-front", "foot-head")
MIN_AREA_SHARE = 0.2  # of the largest plane: planes that count
MIN_BONE_CM2, MIN_GAS_CM2 = 3.0, 1.0
MIN_LUNG_CM2 = 40.0
SIDE_MM = 40.0  # of body on one side of the lungs, to say what it is
BELLY_SHARE, NECK_SHARE = 0.62, 0.45  # of the cross-section at the lungs
NEIGHBOURHOOD_MM = 200.0
MIN_PLANES = 3
CUT, HARDLY_CUT = 0.6, 0.5  # drop of the cross-section: the scan ends here / perhaps a shoulder
MAX_TOUCH = 0.2  # of the largest cross-section, on a face of the array
SOLID_HU = (20.0, 220.0)
Profile = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Axes:
    """What the body says about its axes; NaN where it says nothing.

    Attributes:
        cuts: for each RAS+ axis, the largest drop of the cross-section from plane to plane, of the
            largest cross-section; near 1 along the axis on which the scan was cut.
        touches: for each axis, the cross-section on its first or last plane, of the largest.
        gas: > 0 if gas lies beyond the bones along the second axis; in half-depths of the body.
        bones: > 0 if the bones lie before the body's middle along the second axis.
        upright: > 0 if the body is as symmetric and wide along the first axis, and as uneven along
            the second, as bodies are; < 0 if the two seem swapped.
        top: > 0 if the third axis runs to the head; 1 by the lungs, 0.8 by the neck.
        right: > 0 if the liver lies towards the end of the first axis.
    """

    cuts: tuple[float, float, float]
    touches: tuple[float, float, float]
    gas: float
    bones: float
    upright: float
    top: float
    right: float

    @property
    def is_along(self) -> bool | None:
        """Whether the third axis runs along the body; None if the scan does not tell."""
        if self.cuts[2] > CUT:
            return True
        other = int(np.argmax(self.cuts[:2]))
        if self.cuts[other] < CUT or self.cuts[2] > HARDLY_CUT:
            return None
        # a small field of view cuts the body on all sides: then nothing is told
        is_whole = max(self.touches[1 - other], self.touches[2]) < MAX_TOUCH
        return False if is_whole and self.cuts[1 - other] < HARDLY_CUT else None


def axes_of(body: Anatomy) -> Axes:
    """Ask the body about every axis; a scan without body answers nothing."""
    nan = float("nan")
    if not body.body.any():
        return Axes((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), nan, nan, nan, nan, nan)
    cuts, touches = cuts_of(body)
    gas, bones = gas_before_bone(body, 1)
    top = top_of(body)
    upright = upright_of(body, gas)
    return Axes(cuts, touches, gas, bones, upright, top, liver_side(body, top))


Triple = tuple[float, float, float]


def cuts_of(body: Anatomy) -> tuple[Triple, Triple]:
    """Along each axis the largest drop of the cross-section (cavities included) from plane to
    plane, and the larger cross-section on the first and last plane; of the largest, 0 to 1."""
    cuts, touches = [], []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        area = np.pad(body.inside(axis).sum(axis=others).astype(float), 1)
        most = max(1.0, float(area.max()))
        cuts.append(float(np.abs(np.diff(area)).max()) / most)
        touches.append(float(max(area[1], area[-2])) / most)
    return (cuts[0], cuts[1], cuts[2]), (touches[0], touches[1], touches[2])


def _planes(body: Anatomy) -> Iterator[int]:
    area = body.areas(body.body)
    yield from np.flatnonzero(area > MIN_AREA_SHARE * area.max()).tolist()


def gas_before_bone(body: Anatomy, axis: int) -> tuple[float, float]:
    """How far gas lies beyond the bones along an in-plane axis, and the bones behind the middle.

    Both as means over axial planes, in half-depths; NaN unless three planes hold gas and bone: what
    has no gas at all may be a limb, which has no front.
    """
    at = np.arange(body.hu.shape[axis]) * body.spacing[axis]
    along = 1 - axis
    cm2 = body.spacing[0] * body.spacing[1] / 100
    inside = body.inside()
    gas, bones = [], []
    for k in _planes(body):
        whole = inside[:, :, k].sum(axis=along)
        middle = float((whole * at).sum() / whole.sum())
        half = 2 * float(np.sqrt((whole * (at - middle) ** 2).sum() / whole.sum()))
        bone = body.bone[:, :, k].sum(axis=along)
        if bone.sum() * cm2 < MIN_BONE_CM2 or half <= 0:
            continue
        spine = float((bone * at).sum() / bone.sum())
        bones.append((middle - spine) / half)
        air = body.gas[:, :, k].sum(axis=along)
        if air.sum() * cm2 >= MIN_GAS_CM2:
            gas.append((float((air * at).sum() / air.sum()) - spine) / half)
    if len(gas) < MIN_PLANES:
        return float("nan"), float("nan")
    return float(np.mean(gas)), float(np.mean(bones))


def upright_of(body: Anatomy, gas: float) -> float:
    """Whether the first two axes are left-right and back-front rather than swapped.

    Bodies are mirror images of themselves from left to right only, and wider than deep.
    """
    sideways, _ = gas_before_bone(body, 0)
    box = tuple(slice(int(a.min()), int(a.max()) + 1) for a in np.nonzero(body.body))
    image = np.where(body.inside(), np.clip(body.hu, -300, 400) + 300, 0)[box]
    wide, deep = (n * s for n, s in zip(image.shape[:2], body.spacing[:2], strict=True))
    mirror = _symmetry(image, 0) - _symmetry(image, 1)
    uneven = abs(gas) - abs(sideways) if np.isfinite(gas + sideways) else 0.0
    return float(uneven + mirror + 0.5 * np.log(wide / deep))


def _symmetry(image: npt.NDArray[np.float32], axis: int) -> float:
    """Correlation with its mirror image, for the best of some centres."""
    planes = np.moveaxis(image, axis, 0)
    n, best = len(planes), -1.0
    for shift in range(-max(1, n // 10), max(1, n // 10) + 1):
        part = planes[max(0, shift) : min(n, n + shift)]
        if part.size and part.std() > 0:
            best = max(best, float(np.corrcoef(part.ravel(), part[::-1].ravel())[0, 1]))
    return best


def top_of(body: Anatomy) -> float:
    """> 0 if the head is towards the end of the third axis; NaN if the body does not tell."""
    area = body.areas(body.inside())
    lungs = body.areas(body.lungs)
    at_lungs = np.flatnonzero(lungs > MIN_LUNG_CM2 * body.scale**2)
    if at_lungs.size * body.spacing[2] >= 12 * body.scale:
        level = float(np.median(area[at_lungs]))
        step = body.spacing[2] / body.scale
        votes = [
            -_side(area[at_lungs[-1] + 1 :], level, step),
            _side(area[: at_lungs[0]][::-1], level, step),
        ]
        told = [vote for vote in votes if vote]
        if told:
            return float(np.clip(sum(told), -1, 1))
    return _neck(area, body.spacing[2])


def _side(area: Profile, level: float, step_mm: float) -> float:
    """+1 for a belly, -1 for a neck beside the lungs, 0 for neither; from the lungs outwards.

    `step_mm` is of an adult's size."""
    near = area[: round(NEIGHBOURHOOD_MM / step_mm)]
    near = near[near > 0.08 * level]  # the scan may end in air
    if near.size * step_mm < SIDE_MM:
        return 0.0
    narrowest = float(near.min()) / level
    if narrowest < NECK_SHARE:
        return -1.0
    return 1.0 if narrowest > BELLY_SHARE else 0.0


def _neck(area: Profile, step_mm: float) -> float:
    """A narrow place with a wider one on both sides; the much wider side are the shoulders."""
    n = max(1, round(20 / step_mm))
    smooth = np.convolve(area, np.ones(n) / n, mode="same")
    inside = np.flatnonzero(smooth > 0.15 * smooth.max())
    if inside.size * step_mm < 100:
        return float("nan")
    profile = smooth[inside[0] : inside[-1] + 1]
    margin = max(1, round(30 / step_mm))
    if profile.size <= 2 * margin:
        return float("nan")
    waist = margin + int(np.argmin(profile[margin:-margin]))
    below, above = float(profile[:waist].max()), float(profile[waist:].max())
    narrow = float(profile[waist])
    if min(below, above) < 1.25 * narrow or max(below, above) < 1.6 * min(below, above):
        return float("nan")
    return 0.8 if below > above else -0.8


def liver_side(body: Anatomy, top: float) -> float:
    """Dense tissue on the right minus on the left, of both, just below the lungs; NaN without."""
    if not abs(top) > 0:
        return float("nan")
    lungs = body.areas(body.lungs)
    at_lungs = np.flatnonzero(lungs > MIN_LUNG_CM2 * body.scale**2)
    if at_lungs.size == 0:
        return float("nan")
    base = at_lungs[0] if top > 0 else at_lungs[-1]
    reach = round(90 * body.scale / body.spacing[2])
    step = -1 if top > 0 else 1
    last = body.hu.shape[2] - 1
    planes = np.unique(np.clip(base + step * np.arange(-reach // 4, reach), 0, last))
    if planes.size * body.spacing[2] < 60 * body.scale:
        return float("nan")
    from scipy import ndimage

    hu = body.hu[:, :, planes]
    solid = ndimage.binary_erosion((hu > SOLID_HU[0]) & (hu < SOLID_HU[1]), iterations=2)
    whole = body.inside()[:, :, planes].sum((1, 2)).astype(float)
    middle = float((whole * np.arange(whole.size)).sum() / max(1.0, whole.sum()))
    at = np.arange(whole.size) - middle
    mass = solid.sum((1, 2)).astype(float)
    if mass.sum() * body.voxel_ml < 150 * body.scale**3:
        return float("nan")
    return float((mass * np.sign(at)).sum() / mass.sum())
