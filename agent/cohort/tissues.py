"""What the phantom is made of: tissues, their attenuation by contrast phase, and the classes."""

from enum import IntEnum, auto

import numpy as np
import numpy.typing as npt

PHASES = ("plain", "arterial", "portal_venous", "delayed")
ORGANS = (
    "liver",
    "spleen",
    "kidney_left",
    "kidney_right",
    "pancreas",
    "stomach",
    "gall_bladder",
    "aorta",
    "postcava",
    "duodenum",
    "bladder",
)
TUMOR = "pancreatic_tumor"
CLASSES = (*ORGANS, TUMOR)
ORGAN_VALUE = {name: value for value, name in enumerate(ORGANS, start=1)}


class Tissue(IntEnum):
    """One kind of matter; finer than the classes (a kidney has cortex, medulla and sinus)."""

    AIR = 0
    COUCH = auto()
    COUCH_CORE = auto()
    SKIN = auto()
    FAT = auto()
    MUSCLE = auto()
    LUNG = auto()
    HEART = auto()
    SOFT = auto()
    BOWEL_WALL = auto()
    BOWEL_FLUID = auto()
    STOOL = auto()
    GAS = auto()
    CORTICAL_BONE = auto()
    MARROW = auto()
    DISC = auto()
    CANAL = auto()
    LIVER = auto()
    HEPATIC_VEIN = auto()
    PORTAL_VEIN = auto()
    ARTERY = auto()
    LIVER_LESION = auto()
    CYST = auto()
    SPLEEN = auto()
    CORTEX = auto()
    MEDULLA = auto()
    URINE = auto()
    PANCREAS = auto()
    DUCT = auto()
    STOMACH_WALL = auto()
    STOMACH_FLUID = auto()
    BILE = auto()
    GALLSTONE = auto()
    AORTA = auto()
    CALCIUM = auto()
    CAVA = auto()
    BLADDER_WALL = auto()
    ASCITES = auto()
    PDAC = auto()
    PNET = auto()
    METAL = auto()


# plain, arterial, portal venous, delayed; in HU
_HU: dict[Tissue, tuple[float, float, float, float]] = {
    Tissue.AIR: (-1000, -1000, -1000, -1000),
    Tissue.COUCH: (-150, -150, -150, -150),
    Tissue.COUCH_CORE: (-890, -890, -890, -890),
    Tissue.SKIN: (10, 15, 20, 20),
    Tissue.FAT: (-105, -104, -102, -102),
    Tissue.MUSCLE: (52, 58, 63, 62),
    Tissue.LUNG: (-840, -830, -825, -828),
    Tissue.HEART: (42, 230, 145, 112),
    Tissue.SOFT: (40, 50, 60, 60),
    Tissue.BOWEL_WALL: (38, 75, 88, 75),
    Tissue.BOWEL_FLUID: (14, 14, 16, 16),
    Tissue.STOOL: (-10, -10, -10, -10),
    Tissue.GAS: (-930, -930, -930, -930),
    Tissue.CORTICAL_BONE: (650, 660, 670, 665),
    Tissue.MARROW: (170, 180, 190, 185),
    Tissue.DISC: (85, 88, 92, 90),
    Tissue.CANAL: (28, 30, 34, 34),
    Tissue.LIVER: (58, 70, 110, 92),
    Tissue.HEPATIC_VEIN: (40, 72, 165, 112),
    Tissue.PORTAL_VEIN: (42, 125, 175, 115),
    Tissue.ARTERY: (42, 320, 155, 112),
    Tissue.LIVER_LESION: (38, 50, 58, 66),
    Tissue.CYST: (6, 7, 8, 8),
    Tissue.SPLEEN: (48, 125, 122, 98),
    Tissue.CORTEX: (34, 175, 185, 150),
    Tissue.MEDULLA: (32, 75, 160, 165),
    Tissue.URINE: (5, 6, 20, 260),
    Tissue.PANCREAS: (42, 108, 94, 76),
    Tissue.DUCT: (8, 10, 12, 12),
    Tissue.STOMACH_WALL: (40, 82, 90, 78),
    Tissue.STOMACH_FLUID: (10, 10, 12, 12),
    Tissue.BILE: (9, 9, 10, 11),
    Tissue.GALLSTONE: (190, 190, 190, 190),
    Tissue.AORTA: (43, 325, 158, 114),
    Tissue.CALCIUM: (520, 620, 560, 540),
    Tissue.CAVA: (41, 105, 142, 112),
    Tissue.BLADDER_WALL: (35, 50, 65, 65),
    Tissue.ASCITES: (9, 10, 11, 12),
    Tissue.PDAC: (37, 52, 62, 64),
    Tissue.PNET: (43, 185, 132, 98),
    Tissue.METAL: (3000, 3000, 3000, 3000),
}
# enhancement varies from patient to patient; matter without blood flow does not
_FIXED = {
    Tissue.AIR,
    Tissue.COUCH,
    Tissue.COUCH_CORE,
    Tissue.LUNG,
    Tissue.GAS,
    Tissue.CYST,
    Tissue.GALLSTONE,
    Tissue.METAL,
}


def attenuation(
    phase: str, rng: np.random.Generator, *, liver_shift_hu: float = 0.0
) -> npt.NDArray[np.float32]:
    """HU of every tissue code in `phase`, jittered as between patients.

    Args:
        phase: one of `PHASES`.
        rng: draws the strength of enhancement and a few HU per tissue.
        liver_shift_hu: added to the liver, e.g. -30 for steatosis.

    Returns:
        float32, one entry per `Tissue` code.
    """
    column = PHASES.index(phase)
    strength = rng.uniform(0.85, 1.15)
    result = np.zeros(len(Tissue), np.float32)
    for tissue, values in _HU.items():
        enhancement = (values[column] - values[0]) * strength
        jitter = 0.0 if tissue in _FIXED else rng.normal(0, 3)
        result[tissue] = values[0] + enhancement + jitter
    result[Tissue.LIVER] += liver_shift_hu
    return result
