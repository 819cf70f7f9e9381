"""Ingest: a folder of scans, labels and reports comes into the workspace, linked and scrubbed.

The order is that of privacy (contract 7): link while the identifiers are at hand, keep them in the
private map, scrub, and only then write to the catalog. Each scan is an item of the ledger; splits
are frozen for all new scans together at the end. Killed at any point, the same call goes on.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.ingest.cases import find_cases
from agent.ingest.config import IngestConfig, config_of
from agent.ingest.find import Found, find_sources
from agent.ingest.identities import Identities
from agent.ingest.items import STAGE, adopt, case_items
from agent.ingest.linking import link_all
from agent.ingest.records import Case
from agent.ingest.register import register
from agent.ingest.relink import relink
from agent.ingest.report_lists import report_counts, write_unlinked
from agent.ingest.report_store import ReportStore
from agent.ingest.reports import Place, ReportImport
from agent.ingest.scan_keys import scan_keys, with_study
from voxcurate.catalog import Scan, Writer
from voxcurate.config import dump_yaml
from voxcurate.errors import SourceError
from voxcurate.ledger import Item, LedgerResult, run_items
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import write_text

log = logging.getLogger(__name__)
VERSION = "1"
_REPORTS = ("reports", "reports_duplicate", "reports_without_text")  # some: not nothing


def ingest(
    context: StageContext,
    path: Path,
    *,
    source: Path | str | None = None,
    config: IngestConfig | None = None,
) -> StageResult:
    """Bring what lies below a folder into the workspace.

    A scan that cannot be used fails alone; a mask that cannot be used is left out, and listed as a
    failure ``<case>/<role>``. Calling again does only what is new, changed or failed.

    Args:
        context: the stage's context; its round does not matter, ingest is round 0.
        path: the folder.
        source: a description: a YAML file, or the name of one of the workspace's or a shipped one.
            None: ``dataset.yaml`` beside the data, or a recognised layout.
        config: default: the workspace's ``ingest.yaml``.

    Returns:
        counts for people; failures by item.

    Raises:
        SourceError: the data cannot be understood, or a drafted description must be completed.
    """
    context = replace(context, round=0, cohort=frozenset())
    config = config or config_of(context.workspace)
    key = context.workspace.key()
    workspace = context.workspace
    with Identities(workspace) as identities, ReportStore(workspace) as store:
        found = find_sources(context, path, source, identities, config)
        places = _places(context, found, key)
        cases = [case for place in places for case in place.cases]
        _check_ids(cases)
        identities.add(case.identity for case in cases)
        _keep_descriptions(context, found)
        store.add_scans(scan_keys(cases))
        reports = ReportImport(context, config, places, store, identities, key)
        problems = reports.survey()
        link_all(store)
        result = _ingest_cases(context, cases, store.linked_cases(), config, key)
        done = register(context, config, identities, key)
        _show_labels(context, done.new + done.updated)
        link_all(store, usable=(row[0] for row in context.catalog.columns(Scan, "case_id")))
        imported = reports.write()
        imported.counts["relinked"] = relink(context, config.scrub, store, identities, key)
        n_unlinked = write_unlinked(workspace, store)
        standing = store.counts()
    failed = {**result.failed, **_problems(result), **problems.failed, **imported.failed}
    counts = _counts(context, found, cases, result)
    counts |= {"new_scans": len(done.new), "updated_scans": len(done.updated)}
    counts |= {"bridging_scans": done.bridges} if done.bridges else {}
    counts |= report_counts(standing, imported.counts, problems.counts, n_unlinked)
    if not (cases or failed or any(counts.get(name) for name in _REPORTS)):
        raise SourceError("nothing to ingest: no scan and no report was found")
    log.info("ingested", extra={"counts": counts, "failed": len(failed)})
    return StageResult(counts=counts, failed=failed)


def _places(context: StageContext, found: Sequence[Found], key: bytes) -> list[Place]:
    return [
        Place(
            one.config,
            one.root,
            one.files,
            [
                with_study(case, key)
                for case in find_cases(one.config, one.root, one.files, context.vocabulary, key)
            ],
        )
        for one in found
    ]


def _check_ids(cases: Sequence[Case]) -> None:
    twice = [case_id for case_id, n in Counter(case.case_id for case in cases).items() if n > 1]
    if twice:
        raise SourceError(f"several scans get the same id: {', '.join(sorted(twice)[:5])}")


def _keep_descriptions(context: StageContext, found: Sequence[Found]) -> None:
    """The resolved description of each source, as it was used."""
    for one in found:
        path = context.workspace.root / "sources" / "resolved" / f"{one.config.name}.yaml"
        write_text(path, dump_yaml(one.config))


def _ingest_cases(
    context: StageContext,
    cases: Sequence[Case],
    with_report: frozenset[str],
    config: IngestConfig,
    key: bytes,
) -> LedgerResult:
    workspace = context.workspace

    def record(writer: Writer, item: Item, made: Any) -> Mapping[str, Any]:
        return adopt(writer, workspace, item, made)

    return run_items(
        context,
        STAGE,
        case_items(cases, with_report, workspace, config.standardise, key),
        "agent.ingest.worker:ingest_case",
        record,
        version=VERSION,
        title="scans",
    )


def _show_labels(context: StageContext, case_ids: Sequence[str]) -> None:
    """``scans/<case>/segmentations`` as of round 0."""
    from voxcurate.catalog import Label
    from voxcurate.labels import rebuild_view

    pointers = context.catalog.current(case_id=case_ids)
    wanted = {row.label_id for row in pointers.values()}
    labels = {
        row.label_id: row
        for row in context.catalog.rows(Label, case_id=case_ids)
        if row.label_id in wanted
    }
    by_case: dict[str, dict[str, Label]] = {}
    for (case_id, class_id), row in pointers.items():
        by_case.setdefault(case_id, {})[class_id] = labels[row.label_id]
    for scan in context.catalog.rows(Scan, case_id=case_ids):
        if scan.case_id in by_case:
            rebuild_view(context.workspace, scan, by_case[scan.case_id])


def _problems(result: LedgerResult) -> dict[str, str]:
    """Masks that were left out, of all cases of this call, new or not."""
    return {
        f"{key}/{role}": error
        for key, kept in sorted(result.results.items())
        for role, error in kept.get("problems", {}).items()
    }


def _counts(
    context: StageContext, found: Sequence[Found], cases: Sequence[Case], result: LedgerResult
) -> dict[str, Any]:
    used = {str(path) for case in cases for path in case.files}
    used |= {mask.path for case in cases for mask in case.masks}
    from voxcurate.layouts import is_volume

    volumes = [str(one.root / path) for one in found for path in one.files if is_volume(path)]
    scans = context.catalog.rows(Scan, case_id=[case.case_id for case in cases])
    splits = Counter(scan.split for scan in scans)
    counts: dict[str, Any] = {
        "sources": len(found),
        "scans": len(scans),
        "patients": len({scan.patient for scan in scans}),
        "labels": sum(len(kept.get("labels", {})) for kept in result.results.values()),
        "failed_scans": len(result.failed),
        "unchanged": result.reused,
        "splits": {name: splits[name] for name in ("train", "validation", "test")},
    }
    drafted = [one.drafted for one in found if one.drafted]
    if drafted:
        counts["drafted"] = drafted
    unused = sum(path not in used for path in volumes)
    return counts | ({"volumes_not_described": unused} if unused else {})
