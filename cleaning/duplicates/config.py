"""Settings of the search for duplicates."""

from pydantic import Field

from voxcurate.config import Config


class DuplicateConfig(Config):
    """When two scans are the same one."""

    radius_bits: int = Field(48, ge=0, le=128, description="candidates: Hamming distance of 256")
    min_ncc: float = Field(0.97, description="correlation of the registered thumbnails")
    min_detail_ncc: float = Field(0.93, description="the same of what differs from its blur")
    min_fine_detail_ncc: float = Field(0.9, description="the same on the finer grid of the proof")
    min_same_patient_detail_ncc: float = Field(
        0.95, description="the same for two scans of one patient, which may be two visits"
    )
    proof_grid: int = Field(64, ge=16, le=128, description="blocks per axis of the proof")
    min_overlap: float = Field(0.6, description="overlap, of the smaller scan's volume")
    flat_limit: int = Field(50_000, description="beyond this many codes: multi-index hashing")
