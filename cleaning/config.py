"""Settings of the cleaning stage."""

from pydantic import Field

from cleaning.check.config import CheckConfig
from cleaning.duplicates.config import DuplicateConfig
from voxcurate.config import Config


class CleaningConfig(Config):
    """The cleaning stage."""

    check: CheckConfig = CheckConfig()
    duplicates: DuplicateConfig = DuplicateConfig()
    sources: tuple[str, ...] = Field(
        (),
        description="names of sources, the most original first: of copies with as many labels and "
        "as fine voxels, the one of the first source stays",
    )
    carry_labels: bool = Field(
        True, description="labels of copies that leave become candidates on the scan that stays"
    )
    leak_scan: bool = Field(True, description="look for identifiers in what the workspace holds")
