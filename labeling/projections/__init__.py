"""Pictures for people and for vision-language models: projections and slices as PNG.

The projection is Label Critic's (as published with ScaleMAI, section A.2): window, sum along the
anterior-posterior axis, divide by the maximum, pixels of equal size, longest side 512, the mask as
a red tint on the grey value or, for thin vessels, in solid red. Departures: a tint never gets
darker than `painting.LEAST_RED`, letters say which side is which, and where a published picture is
resized twice (to 1 mm, then to 512) ours is resized once. The patient's right is on the left of the
picture; anisotropic voxels are not stretched.
"""

from labeling.projections.cache import PictureCache
from labeling.projections.painting import Overlay
from labeling.projections.scan import Look, ScanPictures, projection_png, projection_pngs
from labeling.projections.slices import middle_slice, slice_png
from labeling.projections.sums import WINDOWS, shadow_dice
from labeling.projections.views import VIEWS, canonical

__all__ = [
    "VIEWS",
    "WINDOWS",
    "Look",
    "Overlay",
    "PictureCache",
    "ScanPictures",
    "canonical",
    "middle_slice",
    "projection_png",
    "projection_pngs",
    "shadow_dice",
    "slice_png",
]
