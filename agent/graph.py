"""The round as a LangGraph graph: each node a thin call of one stage function.

The state carries the round's number and counts, never arrays or tables. A node re-enters from its
top after a
crash or an interrupt; the ledger makes that cheap.
"""

import operator
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

from voxcurate.stage import StageResult

Stage = Callable[[], StageResult]


class RoundState(TypedDict, total=False):
    """What the checkpointer keeps of a round."""

    round: int
    counts: Annotated[dict[str, Any], operator.or_]
    failed: Annotated[dict[str, int], operator.or_]


def build_graph(stages: dict[str, Stage]) -> StateGraph[RoundState]:
    """A chain of the stages, in their order."""
    graph = StateGraph(RoundState)
    last = START
    for name, stage in stages.items():
        graph.add_node(name, _node(name, stage))  # type: ignore[call-overload]
        graph.add_edge(last, name)
        last = name
    graph.add_edge(last, END)
    return graph


@contextmanager
def checkpoints(path: Path) -> Iterator[SqliteSaver]:
    """The SQLite checkpointer of a workspace's rounds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, check_same_thread=False)
    try:
        yield SqliteSaver(connection)
    finally:
        connection.close()


def _node(name: str, stage: Stage) -> Callable[[RoundState], dict[str, Any]]:
    def node(_: RoundState) -> dict[str, Any]:
        result = stage()
        return {"counts": {name: dict(result.counts)}, "failed": {name: len(result.failed)}}

    return node
