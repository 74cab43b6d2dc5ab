"""Whose page a widget revision is, what the settings asked for then, and who keeps the chart of a grant."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("grant", sa.Column("organization", sa.Text, nullable=False, server_default=""))
    op.add_column("widget_revision", sa.Column("organization", sa.Text, nullable=False, server_default=""))
    op.add_column("widget_revision", sa.Column("configured", sa.Text, nullable=False, server_default=""))
    op.execute("UPDATE widget_revision SET configured = hash")
