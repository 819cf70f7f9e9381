"""Settings of the scan checks; every threshold carries its unit."""

from typing import Literal

from pydantic import Field

from voxcurate.config import Config

Region = Literal["head", "neck", "chest", "abdomen", "pelvis", "limb"]


class CheckConfig(Config):
    """What a scan must look like. Limits named ``reject_*`` reject, ``suspect_*`` only mark.

    They were set on half of the real scans at hand and their synthetic corruptions, with room to
    the most unusual real one, and measured on the other half (``benchmarks/checks.py``).
    """

    min_slices: int = Field(3, description="fewer planes along any axis: reject")
    suspect_slices: int = 8
    min_spacing_mm: float = Field(0.02, description="HR-pQCT of a wrist has 0.06")
    suspect_min_spacing_mm: float = 0.1
    max_spacing_mm: float = Field(25.0, description="HRCT of the lungs: a plane every 10-20 mm")
    suspect_max_spacing_mm: float = 15.0
    min_extent_mm: float = Field(15.0, description="of the shortest axis (MR crops are 35 mm)")
    max_extent_mm: float = 2500.0
    reject_empty_share: float = Field(0.1, description="constant planes between others, of an axis")
    reject_repeated_share: float = Field(0.1, description="planes equal to another, of an axis")
    suspect_blank_end: float = Field(
        0.3, description="of the planes, at one end after the full body; cubes are padded by 0.27"
    )
    reject_shuffle: float = Field(0.8, description="change to next plane / to the one after")
    reject_neighbour_correlation: float = Field(0.3, description="of all voxels along one axis")
    suspect_noise_hu: float = 120.0
    reject_noise_hu: float = 250.0
    min_body_ml: float = Field(20.0, description="voxels above -500 HU that belong together")
    min_range_hu: float = Field(
        300.0,
        description="between the 0.5 % and 99.9 % quantile; less is suspect where noise and median "
        "are those of soft tissue (a crop inside an organ), else rejected",
    )
    offset_gain: float = Field(0.03, description="share of voxels that an offset explains better")
    min_offset_hu: float = 300.0
    min_plausible_share: float = Field(0.2, description="voxels in air, fat and soft tissue")
    max_deep_share: float = Field(
        0.01, description="voxels below -3100 HU; suspect if all are one value, a padding"
    )
    max_metal_share: float = Field(
        0.02, description="voxels above 4000 HU; suspect if half of the rest is air and tissue"
    )
    suspect_clipped_share: float = Field(0.0005, description="voxels at a maximum below 1300 HU")
    suspect_floor_share: float = Field(0.02, description="voxels at a minimum above -850 HU")
    min_mr_spread: float = Field(
        0.22,
        description="interquartile range over median of all values above a tenth of the bright "
        "ones: 0.03-0.15 in a CT with an offset, 0.26 and more in MR",
    )
    max_labels: int = Field(300, description="values of a label map")
    reject_label_flatness: float = Field(
        0.7, description="voxels equal to their neighbour, where a map has more than one label"
    )
    wanted_regions: tuple[Region, ...] = Field(
        (), description="a CT that shows none of them is rejected; empty: any region will do"
    )
    suspect_swapped: float = Field(0.2, description="score of swapped in-plane axes; ours: < -0.4")
    reject_swapped: float = 0.4
    suspect_front: float = Field(
        0.1, description="gas behind the bones, half-depths; the least of our scans: 0.13 before"
    )
    reject_front: float = 0.25
    reject_bones: float = Field(0.1, description="and bones before the middle, half-depths")
    suspect_right: float = Field(0.3, description="solid tissue left below the lungs, of all")
    suspect_cut_off_share: float = Field(0.2, description="of the outline at the border")
    suspect_padded_inside: float = Field(0.001, description="padding among the body's inside")
    reject_padded_inside: float = 0.02
    streak_hu: float = Field(45.0, description="change from ray to ray from metal; organs: < 36")
    suspect_streak_planes: float = Field(0.06, description="planes with such streaks")
    suspect_step_mm: float = Field(
        7.5, description="sideways, where most of the body changes at once; ours: < 6.0"
    )
    suspect_jump: float = Field(
        1.55, description="change from plane to plane in those around it; ours: < 1.45"
    )
    max_jump_spacing_mm: float = Field(
        7.0, description="planes further apart differ too much to tell a jump"
    )
    suspect_equal_planes: float = Field(
        0.3, description="voxels of tissue equal to the one in the next plane; ours: < 0.07"
    )
    suspect_shared_noise: float = Field(
        0.28, description="correlation of the noise three planes apart; ours: < 0.19"
    )
    max_bend: float = Field(
        2.5, description="of that correlation: more are planes that were interpolated"
    )
    max_air_hu: float = Field(-980.0, description="air beside the body; ours: -1000 to -993")
    min_air_hu: float = -1020.0
    max_floor_hu: float = Field(-985.0, description="the one value of clipped air: -1024 or -1000")
    min_floor_hu: float = -1030.0
    fat_hu: tuple[float, float] = Field(
        (-135.0, -80.0), description="the peak of fat; ours: -121 to -87; 80 kV lower it"
    )
    soft_hu: tuple[float, float] = Field(
        (0.0, 150.0), description="the peak of soft tissue; ours: 17 to 117, with contrast"
    )
    fat_to_soft_hu: tuple[float, float] = Field(
        (105.0, 225.0),
        description="between the two peaks; ours: 126 to 174, livers with contrast 212",
    )
    suspect_ring_hu: float = Field(12.0, description="only where voxels are 1.6 mm or finer")
    max_gib: float = Field(8.0, description="of one volume in memory; refused before it is read")
    suspect_tilt_deg: float = Field(0.5, description="headers round positions: below is straight")
    reject_tilt_deg: float = Field(35.0, description="gantries tilt by 30 degrees at most")
    suspect_slice_gap: float = Field(1.6, description="slice distance over slice thickness")
    suspect_slice_overlap: float = Field(
        4.0, description="slice thickness over slice distance; 2 or 3 is usual"
    )
    suspect_pose_mm: float = Field(1.0, description="sform and qform apart, at the worst corner")
    suspect_shear_deg: float = Field(0.5, description="axes off the right angle: a gantry tilt")
    reject_shear_deg: float = 35.0
    model_may_reject: bool = Field(
        False, description="a vision model's rejections reject; else it can only add doubts"
    )
    memory_mb: int = Field(6000, ge=512, description="of the process that reads one scan")
    time_limit_s: float = Field(300.0, gt=0, description="of one scan; then it is unreadable")
