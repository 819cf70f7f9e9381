"""The leak scan of a workspace: every report, header and file name that it holds."""

from collections.abc import Iterator, Mapping, Sequence

from cleaning.deid.leakscan import LeakVerdict, header_texts, scan_case
from voxcurate.catalog import Report, Scan
from voxcurate.identifiers import Identifiers
from voxcurate.scrub import NOTHING_KNOWN
from voxcurate.stage import StageContext

PAGE = 500  # scans whose reports are held in memory


def find_leaks(
    ctx: StageContext, scans: Sequence[Scan], known: Mapping[str, Identifiers]
) -> Iterator[LeakVerdict]:
    """What the workspace holds of each scan, read back and searched for identifiers.

    Args:
        ctx: where it is.
        scans: of which cases.
        known: identifiers by case; a case without them is searched for patterns alone.
    """
    for scan, texts in _with_reports(ctx, scans):
        path = ctx.workspace.root / scan.path
        names = [p.relative_to(ctx.workspace.root).as_posix() for p in path.parent.rglob("*")]
        yield scan_case(
            scan.case_id,
            known.get(scan.case_id, NOTHING_KNOWN),
            reports=texts,
            headers=header_texts(path) if path.is_file() else None,
            names=names,
        )


def _with_reports(
    ctx: StageContext, scans: Sequence[Scan]
) -> Iterator[tuple[Scan, dict[str, str]]]:
    """Scans with the texts of their reports by id, of which few are held at a time."""
    for start in range(0, len(scans), PAGE):
        page = scans[start : start + PAGE]
        texts: dict[str, dict[str, str]] = {scan.case_id: {} for scan in page}
        rows = ctx.catalog.columns(Report, "case_id", "report_id", "text", case_id=list(texts))
        for case_id, report_id, text in sorted(rows):
            texts[case_id][report_id] = text
        yield from ((scan, texts[scan.case_id]) for scan in page)
