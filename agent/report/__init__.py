"""The round report: one self-contained HTML page per round."""

from pathlib import Path

from voxcurate.stage import StageContext

__all__ = ["write_report"]


def write_report(ctx: StageContext, round_number: int) -> Path:
    """Write ``rounds/<r>/report.html`` and return its path; see `agent.report.build`."""
    from agent.report.build import write_report as write  # matplotlib and jinja2 only when used

    return write(ctx, round_number)
