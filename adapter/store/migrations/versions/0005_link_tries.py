"""How often somebody gave a wrong answer beside a Welcome email's link."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("welcome", sa.Column("link_tries", sa.Integer, nullable=False, server_default="0"))
