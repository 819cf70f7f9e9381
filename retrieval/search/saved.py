"""Named cohorts: ``cohorts/NAME.yaml`` in the workspace, a query and the cases that it found."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from retrieval.search.query import CohortMatch, CohortQuery
from voxcurate.config import Config, build, dump_yaml, read_yaml
from voxcurate.errors import ConfigError
from voxcurate.workspace import Workspace, write_text

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class SavedCohort(Config):
    """A cohort as it was found; `provenance` is a hash of all else, times left out."""

    name: str
    question: str = Field("", description="the plain words that were asked, if any")
    query: CohortQuery = Field(default_factory=CohortQuery)
    cases: tuple[str, ...] = ()
    reports: tuple[str, ...] = Field((), description="where reports were asked for")
    provenance: str = ""


def save_cohort(
    workspace: Workspace,
    name: str,
    query: CohortQuery,
    matches: Sequence[CohortMatch],
    question: str = "",
) -> SavedCohort:
    """Write a cohort; one of this name is replaced. Cases are told once each, in their order.

    Raises:
        ConfigError: the name is not of small letters, digits, "-" and "_".
    """
    path = _path(workspace, name)
    made = SavedCohort(
        name=name,
        question=question,
        query=query,
        cases=tuple(dict.fromkeys(m.case_id for m in matches if m.case_id)),
        reports=tuple(dict.fromkeys(m.report_id for m in matches if m.report_id)),
    )
    made = made.model_copy(update={"provenance": _provenance(made)})
    path.parent.mkdir(exist_ok=True)
    head = "# A named cohort (voxcurate ask --save); rounds use it by `retrieval: {cohort: NAME}`\n"
    write_text(path, head + dump_yaml(_plain(made)))
    return made


def load_cohort(workspace: Workspace, name: str) -> SavedCohort:
    """A saved cohort.

    Raises:
        ConfigError: there is none of this name, or its file was changed so that its provenance no
            longer fits it.
    """
    path = _path(workspace, name)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise ConfigError(f"no cohort {name!r}; saved are: {known}")
    found = build(SavedCohort, read_yaml(path))
    if found.provenance != _provenance(found):
        raise ConfigError(f"cohort {name!r} was changed by hand: save it again with ask --save")
    return found


def _path(workspace: Workspace, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"a cohort's name has small letters, digits, - and _; found {name!r}")
    return workspace.root / "cohorts" / f"{name}.yaml"


def _plain(cohort: SavedCohort) -> dict[str, Any]:
    plain = cohort.model_dump(mode="json", exclude_defaults=True)
    plain["query"] = cohort.query.model_dump(mode="json", exclude_defaults=True)
    return plain


def _provenance(cohort: SavedCohort) -> str:
    plain = {**_plain(cohort), "provenance": ""}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
