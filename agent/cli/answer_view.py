"""How the answer to a question is shown: on a terminal, as JSON, as a CSV file."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from agent.cli.console import COULD_NOT_RUN, DONE, show_json
from retrieval.search.wording import query_words
from voxcurate.workspace import write_text

if TYPE_CHECKING:
    from rich.console import Console

    from agent.answers import AskResult
    from retrieval.search.find import Hit
    from retrieval.search.query import Proof

NARROWEST, WIDEST = 80, 120
SHOWN = 50
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_COLUMNS = (
    "case_id", "report_id", "day", "age", "sex", "source", "scanner", "slice_mm", "role",
    "question", "answer", "proof_day", "proof_report", "sentence",
)  # fmt: skip


def show_answer(result: "AskResult", *, as_json: bool, explain: bool = False) -> int:
    """The hits, each with its proofs; what was not understood is told instead, with status 2."""
    if as_json:
        show_json(result.as_plain())
        return DONE if result.answered else COULD_NOT_RUN
    console = _console()
    _show_query(console, result, explain=explain)
    if result.notice:
        typer.echo(f"note: {result.notice}", err=True)
    if result.answered is None:
        typer.echo(
            f"error: not understood: {', '.join(result.not_understood)}"
            "\nSay it in other words, or leave that part out with --anyway.",
            err=True,
        )
        return COULD_NOT_RUN
    if result.not_understood:
        typer.echo(f"left out, not understood: {', '.join(result.not_understood)}", err=True)
    _show_hits(console, result)
    if result.answered.counts:
        _show_counts(console, result.answered.counts)
    if result.answered.is_behind:
        typer.echo("the index is being built by another process: some may be missing", err=True)
    if result.saved:
        typer.echo(f"kept as cohort {result.saved}: rounds use it by 'retrieval: {{cohort: ...}}'")
    return DONE


def write_csv(path: Path, result: "AskResult") -> None:
    """A line per proof of each hit; text that a spreadsheet would run as a formula is quoted."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in _lines(result):
        writer.writerow([_safe(cell) for cell in row])
    write_text(path, stream.getvalue())


def _lines(result: "AskResult") -> Iterator[Sequence[object]]:
    if result.answered is None:
        return
    for hit, proofs in zip(result.answered.found.hits, result.answered.proofs, strict=True):
        facts = (
            hit.case_id, hit.report_id, hit.day, hit.age, hit.sex, hit.source, hit.scanner,
            hit.slice_mm,
        )  # fmt: skip
        for p in proofs:
            yield (*facts, p.role, p.question, p.answer, p.day, p.report_id, p.sentence)
        if not proofs:
            yield (*facts, "", "", "", "", "", "")


def _safe(cell: object) -> object:
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _console() -> "Console":
    from rich.console import Console

    plain = Console()
    width = min(max(plain.width, NARROWEST), WIDEST) if plain.is_terminal else 100
    return Console(width=width, highlight=False, soft_wrap=False)


def _show_query(console: "Console", result: "AskResult", *, explain: bool) -> None:
    from rich.markup import escape

    said = query_words(result.query)
    console.print(f"[dim]understood as[/dim] {escape('; '.join(said) or 'everything')}")
    if explain:
        from voxcurate.config import dump_yaml

        console.print()
        text = dump_yaml(result.query.model_dump(mode="json", exclude_defaults=True))
        console.print(escape(text.rstrip()), soft_wrap=True)
        if result.question:
            console.print()
            for words, use in result.used:
                console.print(f"  {escape(words):<28} [dim]{escape(use)}[/dim]")
            for word in result.not_understood:
                console.print(f"  {escape(word):<28} [bold red]not understood[/bold red]")


def _show_hits(console: "Console", result: "AskResult") -> None:
    answered = result.answered
    assert answered is not None
    shown = answered.found.hits[: result.query.limit or SHOWN]
    for place, (hit, proofs) in enumerate(zip(shown, answered.proofs, strict=False), start=1):
        _show_hit(console, place, hit, proofs)
    n, total = len(shown), answered.found.total
    unit = result.query.of if total != 1 else result.query.of.removesuffix("s")
    more = f", {n} shown (--limit, --csv FILE for more)" if n < total else ""
    console.print(f"\n[bold]{total:,}[/bold] {unit} found{more}")


def _show_hit(console: "Console", place: int, hit: "Hit", proofs: "Sequence[Proof]") -> None:
    from rich.markup import escape
    from rich.table import Table

    facts = [
        " ".join(filter(None, (hit.sex, f"{hit.age:g} y" if hit.age is not None else ""))),
        f"day {hit.day:g}" if hit.day is not None else "",
        hit.scanner,
        f"{hit.slice_mm:.1f} mm slices" if hit.slice_mm else "",
        hit.source,
    ]
    name = hit.report_id or hit.case_id
    of = f" of {hit.case_id}" if hit.report_id and hit.case_id else ""
    about = escape(f"{of}  {' · '.join(filter(None, facts))}")
    console.print(f"\n[dim]{place:>3}[/dim]  [bold]{escape(name)}[/bold]{about}")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False, expand=True)
    table.add_column(width=3)
    table.add_column(ratio=3, overflow="fold")
    table.add_column(ratio=2, overflow="fold")
    table.add_column(ratio=8, overflow="fold")
    for proof in proofs:
        sentence = f"[italic]{escape(proof.sentence)}[/italic]"
        table.add_row("", escape(_role(proof)), escape(proof.answer), sentence)
    if proofs:
        console.print(table)


def _role(proof: "Proof") -> str:
    """What a proof is for, with its day where it is another report's."""
    day = "" if proof.day is None else f" (day {proof.day:g})"
    if proof.role == "fits":
        return proof.question
    if proof.role == "text":
        return "text"
    return f"{proof.role} {proof.question}{day}"


def _show_counts(console: "Console", counts: Mapping[str, int]) -> None:
    from rich.markup import escape

    widest = max((len(str(name)) for name in counts), default=0)
    most = max(counts.values(), default=1)
    console.print()
    for name, n in counts.items():
        bar = "█" * max(1, round(40 * n / most)) if n else ""
        console.print(f"  {escape(str(name)):<{widest}}  {n:>9,}  [dim]{bar}[/dim]")
