"""Settings of the language-model reader."""

from pydantic import Field

from voxcurate.config import Config


class LLMConfig(Config):
    """How a language model is asked; which one is `voxcurate.chat.EngineConfig`."""

    group: int = Field(16, ge=1, description="most questions in one request")
    retries: int = Field(2, ge=0, description="ask again after a reply that cannot be used")
    requote: bool = Field(True, description="ask again, once, for a quote that is not verbatim")
    cache: str = Field(
        "answers.sqlite", description="answers already given, workspace-relative; empty: none"
    )
