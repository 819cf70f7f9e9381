"""Which reports were read, by which reader, and how that went."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table; what was read before is read once more."""
    op.create_table(
        "reading",
        sa.Column("report_id", sa.String(), primary_key=True),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("reader", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("n_findings", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
    )
    op.create_index("ix_reading_status", "reading", ["status"], unique=False)
