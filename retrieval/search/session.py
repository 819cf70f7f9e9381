"""Questions to a workspace: its index brought up to date, searched, and the proofs fetched."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from retrieval.questions import Question
from retrieval.search.counting import count_by
from retrieval.search.dense import DenseSearch, open_dense
from retrieval.search.embedding import Embedder
from retrieval.search.evidence import proofs_of
from retrieval.search.find import Found, Hit, find
from retrieval.search.index import is_behind, open_index
from retrieval.search.query import CohortMatch, CohortQuery, Proof
from retrieval.search.tree import Tree
from voxcurate.catalog import Catalog, FindingRow
from voxcurate.errors import ConfigError
from voxcurate.workspace import Workspace

_FIELDS = (
    "report_id", "question", "value", "number", "unit", "choice", "items", "sentence",
    "confidence", "start", "stop", "side", "change", "supported",
)  # fmt: skip


@dataclass(frozen=True)
class Answered:
    """What a query found: hits in its order with their proofs, counts if any were asked for.

    `is_behind`: another process was bringing the index up to date; it may not have all yet.
    """

    found: Found
    proofs: tuple[tuple[Proof, ...], ...]
    counts: Mapping[str, int]
    is_behind: bool = False

    def matches(self) -> list[CohortMatch]:
        """The hits as a cohort."""
        pairs: Iterator[tuple[Hit, tuple[Proof, ...]]] = zip(
            self.found.hits, self.proofs, strict=True
        )
        return [CohortMatch(hit.case_id, proofs, hit.report_id) for hit, proofs in pairs]


@dataclass(frozen=True)
class Session:
    """An open index; made by `opened`."""

    connection: Any
    catalog: Catalog
    tree: Tree
    known: frozenset[str]
    dense: DenseSearch | None = None

    def ask(self, query: CohortQuery, *, count: str = "") -> Answered:
        """The answer to a query.

        Args:
            query: what is wanted.
            count: count what fits by this, see `retrieval.search.counting.count_by`.

        Raises:
            ConfigError: the query names a question that there is not, or what to count by.
        """
        strange = sorted(query.questions() - self.known)
        if strange:
            raise ConfigError(f"query: no question {', '.join(map(repr, strange))}")
        counts = count_by(self.connection, query, self.tree, count) if count else Counter[str]()
        found = find(self.connection, query, self.tree, dense=self.dense)
        proofs = proofs_of(self.connection, query, found.hits, self.tree, self._rows)
        behind = is_behind(self.connection, self.catalog)
        behind = behind or (self.dense is not None and self.dense.is_partial)
        return Answered(found, tuple(proofs), counts, behind)

    def _rows(self, names: Iterable[str], questions: Iterable[str]) -> list[Mapping[str, Any]]:
        rows = self.catalog.columns(
            FindingRow, *_FIELDS, report_id=list(names), question=list(questions)
        )
        return [dict(zip(_FIELDS, row, strict=True)) for row in rows]


@contextmanager
def opened(
    workspace: Workspace,
    catalog: Catalog,
    questions: Sequence[Question],
    *,
    quiet: bool = False,
    embedder: Embedder | None = None,
) -> Iterator[Session]:
    """A session on a workspace's index, which is first brought up to date.

    With an `embedder`, free text is searched by meaning too; embedding what is new comes first.
    """
    with ExitStack() as stack:
        connection = stack.enter_context(open_index(workspace, catalog, quiet=quiet))
        dense = None
        if embedder is not None:
            dense = stack.enter_context(open_dense(workspace, connection, embedder, quiet=quiet))
        known = frozenset(question.id for question in questions)
        yield Session(connection, catalog, Tree.of(questions), known, dense)


def cohort(
    workspace: Workspace,
    catalog: Catalog,
    query: CohortQuery,
    questions: Sequence[Question],
    *,
    quiet: bool = False,
    embedder: Embedder | None = None,
) -> list[CohortMatch]:
    """The scans, or reports, in the catalog that fit a query, with their proofs."""
    with opened(workspace, catalog, questions, quiet=quiet, embedder=embedder) as session:
        return session.ask(query).matches()
