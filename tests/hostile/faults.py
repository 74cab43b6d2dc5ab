"""Every named fault; docs/ehr-faults.md shows the same list."""

from tests.hostile.bodies import BODIES
from tests.hostile.bundles import BUNDLES
from tests.hostile.rows import ROWS
from tests.hostile.wires import WIRES

FAULTS = [*BODIES, *WIRES, *BUNDLES, *ROWS]
GROUPS = {"The answer": BODIES, "The connection": WIRES, "The page": BUNDLES, "Single records": ROWS}
"""The faults under the headings of the documentation."""
