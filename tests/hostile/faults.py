"""Every named fault; docs/ehr-faults.md shows the same list."""

from tests.hostile.bodies import BODIES
from tests.hostile.bundles import BUNDLES
from tests.hostile.contacts import CONTACTS, INCLUDES
from tests.hostile.rows import ROWS
from tests.hostile.wires import WIRES

FAULTS = [*BODIES, *WIRES, *BUNDLES, *ROWS, *INCLUDES]
"""Those of a search of Patients with their contacts."""
GROUPS = {
    "The answer": BODIES,
    "The connection": WIRES,
    "The page": BUNDLES,
    "Single records": ROWS,
    "Contacts that come along": INCLUDES,
    "Contacts by chart, by lists and in batches": CONTACTS,
}
"""The faults under the headings of the documentation."""
