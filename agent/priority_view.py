"""The priority list as people ask for it and see it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from agent.console import WIDTH
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from labeling.attention_tables import Row
    from labeling.config import PriorityConfig

ROWS_SHOWN = 20
SCORE_HELP = (
    "What ranks: share (of attended volume in itself and the organ), sum (as published, in mm3), "
    "per-ml of organ, per-slice, voxels (as released)."
)
CUT_HELP = "Whom to look at: top (5 %), outliers, or a number of cases."
COLUMNS = {
    "rank": "right",
    "case": "left",
    "class": "left",
    "score": "right",
    "look": "left",
    "why": "left",
    "worst region (i, j, k)": "left",
}


def priority_of(score: str = "", cut: str = "", top_percent: float = 5.0) -> dict[str, Any]:
    """What the options of a command say, as settings of `PriorityConfig`; those not given are left
    out.

    Raises:
        ConfigError: no such score or cut.
    """
    from labeling.config import Score

    found: dict[str, Any] = {}
    if score:
        if score not in get_args(Score):
            raise ConfigError(f"want --score {', '.join(get_args(Score))}, found {score!r}")
        found["score"] = score
    if cut.isdigit():
        found |= {"rule": "budget", "budget": int(cut)}
    elif cut:
        rules = {"top": "top", "outliers": "robust"}
        if cut not in rules:
            raise ConfigError(f"want --cut top, outliers or a number of cases, found {cut!r}")
        found |= {"rule": rules[cut], "fraction": top_percent / 100}
    return found


def cut_words(config: "PriorityConfig") -> str:
    """The rule of the cut in words."""
    if config.rule == "budget":
        return f"the first {config.budget}"
    return f"the top {config.fraction:.0%}" if config.rule == "top" else "robust outliers"


def show_rows(rows: "Sequence[Row]", score: str, title: str) -> None:
    """Lines of the list as a table."""
    from rich.console import Console
    from rich.table import Table

    from labeling.attention_tables import UNITS

    console = Console(width=max(WIDTH, Console().width))
    table = Table(title=f"{title}; attention in {UNITS[score]}", title_justify="left")
    for column, side in COLUMNS.items():
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    for row in rows:
        box = ", ".join(f"{a}:{b}" for a, b in row.region.box) if row.region else ""
        look = "yes" if row.chosen else ""
        cells = (row.case_id, row.class_id, f"{row.score:.4g}", look, row.reason, box)
        table.add_row(str(row.rank), *cells)
    console.print(table)
