"""Settings of the vision judge."""

from pydantic import Field

from voxcurate.config import Config


class VisionConfig(Config):
    """How a vision-language model is asked, and what follows from its answers."""

    anatomy: tuple[str, ...] = Field(
        ("abdomen", "head_neck", "chest", "pelvis"),
        description="files in configs/anatomy whose prompts are used, or paths of YAML files",
    )
    ask_presence: bool = Field(
        True,
        description="ask once per scan which bones it shows; off: the field of view is unknown",
    )
    confirm: bool = Field(
        True, description="ask whether a champion that would replace the current label is right"
    )
    alike_dsc_2d: float = Field(
        0.9,
        gt=0,
        le=1,
        description="of the pictures; below it candidates are compared whatever their DSC in 3-D",
    )
    better_in_2d: float = Field(
        0.1, ge=0, lt=1, description="a class's limit in 3-D and this is its limit in pictures"
    )
    crowd: int = Field(
        5, ge=3, description="candidates from which on those that stand alone are left out"
    )
    quorum: float = Field(
        0.5,
        gt=0,
        le=1,
        description="share of a crowd that is like the champion; a challenger like none of them "
        "is then not asked; 1: only where all others are like the champion",
    )
    agreed_confidence: float = Field(
        0.95,
        gt=0.5,
        le=1,
        description="of a choice made in both orders; published: 0.965 to 0.98 were right",
    )
    unconfirmed_confidence: float = Field(
        0.75, gt=0.5, le=1, description="most of a champion that the model does not confirm"
    )
    weighed_margin: float = Field(
        0.1, ge=0, lt=0.5, description="log-probabilities nearer to 1:1 are no choice"
    )
    max_side: int = Field(512, ge=64, description="of the pictures, pixels; as published")
    examples: int = Field(0, ge=0, le=4, description="pictures of trusted labels shown before")
    top_logprobs: int = Field(
        5,
        ge=0,
        le=20,
        description="tokens at each place whose log-probabilities are asked for, where the "
        "engine's own settings do not say; 0: none",
    )
    cases_at_once: int = Field(
        8,
        ge=1,
        description="in a round: whose requests go to the engine together; so many scans are in "
        "memory (0.2 to 0.5 GB each)",
    )
    answers: str = Field(
        "vision.sqlite", description="file of answers in the workspace; a rerun asks what is new"
    )
