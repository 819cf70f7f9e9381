"""Scores of a workspace against the truth of a synthetic cohort, chance or a trivial method beside.

It reads the catalog and the truth; no stage reads either this package or the truth.
"""

from agent.score.scoring import score_demo
from agent.score.table import ScoreRow, ScoreTable

__all__ = ["ScoreRow", "ScoreTable", "score_demo"]
