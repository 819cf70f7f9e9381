"""Rules on what the scan shows of the body: axes, region, cut-offs, padding, artefacts."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from cleaning.check.anatomy import NARROW_MM, Anatomy, look
from cleaning.check.config import CheckConfig
from cleaning.check.coverage import cut_off, padded_inside
from cleaning.check.orientation import Axes, axes_of
from cleaning.check.peaks import peaks_of
from cleaning.check.reasons import Reason, Severity
from cleaning.check.regions import REGIONS, regions_of
from cleaning.check.sequence import jumps_of, slabs_of
from cleaning.check.texture import artefacts, axial
from voxcurate.volume import Volume

RING_SPACING_MM = 1.6  # coarser grids blur rings away and show organs for rings
QUIET_HU = 40.0
MORE_SHARED, MORE_EQUAL = 3.4, 3.0  # than neighbours within the plane
TRUNK_ML = 5000.0  # less may be a limb, which may lie along any axis
LUNGS_TELL = 0.95


def body_rules(volume: Volume, config: CheckConfig, evidence: dict[str, float]) -> Iterator[Reason]:
    """Whether a CT in HU shows a body as its header says, whole, and the wanted part of it.

    Args:
        volume: a CT whose values passed as HU.
        config: the limits.
        evidence: measured values; more are added.
    """
    body = look(volume)
    if min(body.hu.shape) < 4 or not body.body.any():
        return
    scale = volume_planes(volume) / body.hu.shape[2]
    axes = axes_of(body)
    share, planes = cut_off(body)
    # a crop has another outline, symmetry and middle than the body
    is_whole = share <= config.suspect_cut_off_share
    yield from _axes(axes, body, config, evidence, is_whole=is_whole)
    if axes.is_along is not False:
        yield from _region(body, axes, config, evidence)
        yield from _coverage(body, share, planes, scale, config, evidence)
        yield from _sequence(volume, body, config, evidence)
    yield from _peaks(body, config, evidence, is_whole=is_whole)
    yield from _artefacts(volume, config, evidence)


def volume_planes(volume: Volume) -> int:
    """Planes along the axis nearest to foot-head."""
    letters = volume.orientation
    return volume.shape[letters.index("S") if "S" in letters else letters.index("I")]


def _axes(
    axes: Axes,
    body: Anatomy,
    config: CheckConfig,
    evidence: dict[str, float],
    *,
    is_whole: bool,
) -> Iterator[Reason]:
    measured = {
        "cut_along": axes.cuts[2],
        "cut_across": max(axes.cuts[:2]),
        "gas_in_front": axes.gas,
        "bones_behind": axes.bones,
        "upright": axes.upright,
        "head_up": axes.top,
        "liver_right": axes.right,
    }
    evidence.update({name: v for name, v in measured.items() if np.isfinite(v)})
    is_trunk = body.body_ml > TRUNK_ML * body.scale**3
    if axes.is_along is False:
        how: Severity = "reject" if is_trunk else "suspect"
        found = max(axes.cuts[:2])
        text = "the body runs along another axis than the header's foot-head axis"
        yield Reason("axes_permuted", how, found, axes.cuts[2], text)
        return
    if is_whole and np.isfinite(axes.gas) and axes.upright < -config.suspect_swapped:
        sure = is_trunk and axes.upright < -config.reject_swapped
        text = "left-right and back-front axes are swapped: the body is symmetric along the wrong"
        limit = -config.suspect_swapped
        yield Reason(
            "axes_permuted", "reject" if sure else "suspect", axes.upright, limit, text + " one"
        )
        return
    shown = regions_of(body, is_upright=not axes.top < 0)
    # in the pelvis the rectum's gas lies behind pubis and hips
    is_told = is_whole and not (shown and set(shown) <= {"pelvis", "limb"})
    if is_told and axes.gas < -config.suspect_front:
        sure = axes.gas < -config.reject_front and axes.bones < -config.reject_bones
        text = "the spine lies in front: back and front are swapped"
        sure = (
            sure and axes.is_along is True and shown.get("pelvis", 0.0) <= sum(shown.values()) / 2
        )
        how = "reject" if sure else "suspect"
        yield Reason("front_back", how, axes.gas, -config.suspect_front, text)
    if axes.top < 0:
        sure = axes.top < -LUNGS_TELL and axes.is_along is True
        how = "reject" if sure and is_whole else "suspect"
        yield Reason("upside_down", how, axes.top, 0.0, "head and foot are swapped")
    if is_whole and axes.right < -config.suspect_right:
        text = "the liver seems to lie left: mirrored, or the patient's organs are"
        yield Reason("left_right", "suspect", axes.right, -config.suspect_right, text)


def _region(
    body: Anatomy, axes: Axes, config: CheckConfig, evidence: dict[str, float]
) -> Iterator[Reason]:
    found = regions_of(body, is_upright=not axes.top < 0)
    evidence.update({f"region_{name}_mm": found.get(name, 0.0) for name in REGIONS})
    wanted = config.wanted_regions
    if not wanted or set(found) & set(wanted):
        return
    shown = ", ".join(found) or "none that can be told"
    # abdomen and pelvis have no sharp border, and neither have neck and head
    near = {"abdomen": {"pelvis"}, "pelvis": {"abdomen"}, "head": {"neck"}, "neck": {"head"}}
    is_near = any(set(found) & near.get(name, set()) for name in wanted)
    # a child's belly without lungs is as wide as an adult's neck or thigh
    is_child = body.width_mm < NARROW_MM and set(found) <= {"neck", "limb"}
    how: Severity = "suspect" if not found or is_near or is_child else "reject"
    longest = max(found.values(), default=0.0)
    text = f"want {' or '.join(wanted)}, found: {shown}"
    yield Reason("wrong_region", how, longest, 0.0, text)


def _coverage(
    body: Anatomy,
    share: float,
    planes: npt.NDArray[np.float64],
    scale: float,
    config: CheckConfig,
    evidence: dict[str, float],
) -> Iterator[Reason]:
    evidence["cut_off_share"] = share
    if share > config.suspect_cut_off_share:
        k = round(int(np.argmax(planes)) * scale)
        text = "share of the body's outline at the border of the field of view: cut off"
        limit = config.suspect_cut_off_share
        yield Reason("cut_off", "suspect", share, limit, text, (2, k, k))
    if evidence.get("noise_hu", 0.0) > config.suspect_noise_hu:
        return  # air itself reaches down to padding
    share, planes = padded_inside(body)
    evidence["padded_inside_share"] = share
    if share > config.suspect_padded_inside:
        limit = config.reject_padded_inside
        where = np.flatnonzero(planes) * scale
        text = "share of the body's inside that holds padding"
        # a mask around the body also fills what legs or arms enclose
        how: Severity = "reject" if share > limit and not body.is_masked else "suspect"
        span = (2, round(float(where[0])), round(float(where[-1])))
        yield Reason("padding_inside", how, share, limit, text, span)


def _sequence(
    volume: Volume, body: Anatomy, config: CheckConfig, evidence: dict[str, float]
) -> Iterator[Reason]:
    """Jumps, steps and slabs along the body."""
    found = jumps_of(body)
    evidence["jump"], evidence["step_mm"] = found.jump, found.step_mm
    if found.step_mm > config.suspect_step_mm:
        k = found.step_plane
        text = "the body jumps sideways (mm) from plane to plane: motion, or scans joined"
        limit = config.suspect_step_mm
        yield Reason("step", "suspect", found.step_mm, limit, text, (2, k - 1, k))
    step_mm = axial(volume)[1][2]
    if found.jump > config.suspect_jump and step_mm <= config.max_jump_spacing_mm:
        k = found.jump_plane
        text = "times the usual change from plane to plane: planes are missing, or scans joined"
        yield Reason("jump", "suspect", found.jump, config.suspect_jump, text, (2, k - 1, k))
    slabs = slabs_of(volume)
    evidence["equal_planes_share"], evidence["shared_noise"] = slabs.equal, slabs.third
    evidence["shared_noise_bend"] = slabs.bend
    limit = config.suspect_equal_planes
    if slabs.equal > max(limit, MORE_EQUAL * slabs.equal_beside):
        text = "share of tissue equal to the next plane: maxima or minima of overlapping slabs"
        yield Reason("slabs", "suspect", slabs.equal, limit, text)
    elif (
        slabs.third > max(config.suspect_shared_noise, MORE_SHARED * slabs.third_beside)
        and slabs.bend < config.max_bend
    ):
        limit = config.suspect_shared_noise
        text = "correlation of the noise three planes apart: means of overlapping slabs"
        yield Reason("slabs", "suspect", slabs.third, limit, text)


def _peaks(
    body: Anatomy, config: CheckConfig, evidence: dict[str, float], *, is_whole: bool
) -> Iterator[Reason]:
    """Peaks of air, fat and soft tissue beside their HU: the first one that is."""
    # half of a strong noise is clipped below, and the mean of what is left rises
    is_quiet = evidence.get("noise_hu", 0.0) <= QUIET_HU
    found = peaks_of(body, has_air=is_whole and is_quiet)
    apart = found.soft - found.fat
    told = {"air": found.air, "floor": found.floor, "fat": found.fat, "soft": found.soft}
    evidence.update({f"{name}_peak_hu": v for name, v in told.items() if np.isfinite(v)})
    for text, at, limits in (
        ("HU of air beside the body", found.air, (config.min_air_hu, config.max_air_hu)),
        ("HU of all clipped air", found.floor, (config.min_floor_hu, config.max_floor_hu)),
        ("HU of fat", found.fat, config.fat_hu),
        ("HU of soft tissue", found.soft, config.soft_hu),
        ("HU between fat and soft tissue", apart, config.fat_to_soft_hu),
    ):
        if at < limits[0] or at > limits[1]:
            limit = limits[0] if at < limits[0] else limits[1]
            yield Reason("hu_shift", "suspect", at, limit, f"{text}: an offset or a wrong slope")
            return


def _artefacts(volume: Volume, config: CheckConfig, evidence: dict[str, float]) -> Iterator[Reason]:
    found = artefacts(volume, streak_limit_hu=config.streak_hu)
    evidence["metal_planes_share"] = found.metal_planes
    evidence["streak_planes_share"] = found.streak_planes
    evidence["streak_hu"] = found.streak_hu
    if found.streak_planes > config.suspect_streak_planes:
        k = found.streak_plane
        text = f"share of planes with streaks from metal (up to {found.streak_hu:.0f} HU)"
        limit = config.suspect_streak_planes
        yield Reason("metal_streaks", "suspect", found.streak_planes, limit, text, (2, k, k))
    if sorted(volume.spacing)[1] <= RING_SPACING_MM:
        evidence["ring_hu"] = found.ring_hu
        if found.ring_hu > config.suspect_ring_hu:
            text = "rings (HU) about the centre of rotation"
            yield Reason("rings", "suspect", found.ring_hu, config.suspect_ring_hu, text)
