"""Which cores and GPUs an item had, so that its cost is that of the job that did it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add them; of what was done before nobody told."""
    for name in ("cores", "gpus"):
        column = sa.Column(name, sa.Float(), nullable=False, server_default="0")
        op.add_column("work_item", column)
