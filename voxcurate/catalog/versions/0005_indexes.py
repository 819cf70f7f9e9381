"""Indexes with which the questions of a workspace of many thousand scans stay quick."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add them. A scan's row is long: what lists need of it stands in an index of its own."""
    op.drop_index("ix_scan_status", "scan")
    for table, columns in {
        "assembly": ["case_id", "class_id", "round"],
        "scan": ["status", "split", "case_id", "source", "patient", "sha256"],
        "work_item": ["round", "stage", "status", "peak_mb"],
    }.items():
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns, unique=False)
