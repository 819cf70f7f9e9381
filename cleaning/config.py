"""Settings of the cleaning stage."""

from pydantic import Field

from cleaning.check.config import CheckConfig
from cleaning.duplicates.config import DuplicateConfig
from voxcurate.config import Config


class CleaningConfig(Config):
    """The cleaning stage."""

    check: CheckConfig = CheckConfig()
    duplicates: DuplicateConfig = DuplicateConfig()
    leak_scan: bool = Field(True, description="look for identifiers in what the workspace holds")
