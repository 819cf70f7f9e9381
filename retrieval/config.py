"""Settings of the retrieval stage."""

from pydantic import Field

from retrieval.llm.config import LLMConfig
from retrieval.search.query import CohortQuery
from voxcurate.chat import EngineConfig
from voxcurate.config import Config


class RetrievalConfig(Config):
    """How reports are read and which scans the round works on.

    `query` and `ask` are joined; both empty: every scan, with a report or without.
    """

    reader: str = Field("rules", description="name in voxcurate.protocols.REPORT_READERS")
    questions: tuple[str, ...] = Field((), description="further question files, workspace-relative")
    query: CohortQuery = Field(default_factory=CohortQuery)
    ask: str = Field(
        "", description="the cohort in plain words; what is not understood is an error"
    )
    cohort: str = Field("", description="only scans of this cohort, as `ask --save` named it")
    dense: bool = Field(
        False, description="rank the query's `text` by meaning too; embeds the sentences: slow"
    )
    shard: int = Field(512, ge=1, description="rules: most reports that are recorded together")
    batch: int = Field(32, ge=1, description="language model: reports read together")
    engine: EngineConfig = Field(default_factory=EngineConfig, description="for reader llm")
    llm: LLMConfig = Field(default_factory=LLMConfig, description="how reader llm asks")
    cross_check: bool = Field(
        False, description="reader llm: the rules read too, and disagreements are told"
    )
