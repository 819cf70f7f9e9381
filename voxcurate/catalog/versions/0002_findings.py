"""What decided a finding, where it stands in the report, its side, change and lists."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; findings read before have none of it and are read again."""
    for name, kind, default in (
        ("start", sa.Integer(), "0"),
        ("stop", sa.Integer(), "0"),
        ("rule", sa.String(), ""),
        ("side", sa.String(), ""),
        ("change", sa.String(), ""),
        ("items", sa.JSON(), "[]"),
        ("numbers", sa.JSON(), "[]"),
        ("mentions", sa.JSON(), "[]"),
        ("supported", sa.Boolean(), sa.true()),
    ):
        op.add_column("finding", sa.Column(name, kind, nullable=False, server_default=default))
    op.create_index("ix_finding_question_value", "finding", ["question", "value"], unique=False)
