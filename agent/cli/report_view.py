"""A report on a terminal: its text with the evidence highlighted, its answers beneath."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.cli.console import DONE, show_json
from retrieval.search.proving import words
from voxcurate.catalog import Catalog, FindingRow, Report
from voxcurate.errors import ConfigError

_STYLES = {"yes": "bold green", "no": "bold red", "uncertain": "bold yellow"}
_OTHER = "bold cyan"


@dataclass(frozen=True)
class Read:
    """A report and what was read from it."""

    report: Report
    findings: Sequence[FindingRow]


def reports_of(catalog: Catalog, name: str) -> list[Read]:
    """The report of an id, or all reports of the scan of that id.

    Raises:
        ConfigError: there is none.
    """
    found = catalog.rows(Report, report_id=name) or catalog.rows(Report, case_id=name)
    if not found or not name:
        raise ConfigError(f"no report and no scan with a report is called {name!r}")
    return [Read(one, catalog.rows(FindingRow, report_id=one.report_id)) for one in found]


def show_reports(found: Sequence[Read], *, as_json: bool) -> int:
    """Print reports."""
    if as_json:
        show_json(
            [{**asdict(r.report), "findings": [asdict(f) for f in r.findings]} for r in found]
        )
        return DONE
    plain = Console()
    console = Console(width=plain.width if plain.is_terminal else 100, highlight=False)
    for one in found:
        _show(console, one)
    return DONE


def marked(read: Read) -> Text:
    """The report's text, the sentences that prove an answer in the colour of that answer."""
    text = Text(read.report.text.rstrip())
    for finding in read.findings:
        style = _STYLES.get(finding.value, _OTHER)
        for start, stop in _spans(finding):
            text.stylize(style, start, stop)
    return text


def _spans(finding: FindingRow) -> Iterator[tuple[int, int]]:
    if finding.supported and finding.start < finding.stop:
        yield finding.start, finding.stop
    yield from ((start, stop) for start, stop in finding.mentions)


def _show(console: Console, read: Read) -> None:
    scan = f" of {read.report.case_id}" if read.report.case_id else " without a scan"
    console.rule(f"[bold]{read.report.report_id}[/bold]{scan}", align="left")
    console.print(marked(read))
    console.print()
    if not read.findings:
        console.print("nothing was read from it", style="dim")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column, ratio in (("question", 3), ("answer", 3), ("proof", 7), ("decided by", 3)):
        table.add_column(column, ratio=ratio, overflow="fold")
    for finding in read.findings:
        shown = "" if finding.supported else " (proof not in the report)"
        table.add_row(
            finding.question,
            Text(words(asdict(finding)) + shown, style=_STYLES.get(finding.value, _OTHER)),
            Text(finding.sentence, style="italic"),
            Text(f"{finding.rule or '-'}, {finding.reader} ({finding.confidence:.2f})", "dim"),
        )
    console.print(table)
