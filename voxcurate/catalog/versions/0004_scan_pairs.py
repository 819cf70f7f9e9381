"""Pairs of scans that are one, or belong to one study."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table; pairs found before are found again by the next cleaning."""
    op.create_table(
        "scan_pair",
        sa.Column("first", sa.String(), primary_key=True),
        sa.Column("second", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
    )
    op.create_index("ix_scan_pair_second", "scan_pair", ["second"], unique=False)
