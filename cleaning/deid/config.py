"""Settings of the de-identification of DICOM files."""

from pydantic import Field

from voxcurate.config import Config


class DeidConfig(Config):
    """What is written and what of it is kept; the rest is the Basic profile of PS3.15."""

    keep_risky: bool = Field(
        False,
        description="write secondary captures, screenshots, documents, presentation states and "
        "ultrasound too, whose pixels may show a name; they are flagged",
    )
    keep_safe_private: bool = Field(
        False, description="keep the private numbers that PS3.15 table E.3.10-1 calls safe"
    )
    keep_words: bool = Field(
        False,
        description="keep words of descriptions that are not in the list of harmless words, if "
        "nothing says that they identify somebody",
    )
    max_text: int = Field(
        2000, ge=0, description="characters from which on a text is dropped, not cleaned"
    )
