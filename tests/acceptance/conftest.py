"""What the acceptance tests share: an installation in a temporary folder, and one with the story's families."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapter.sandbox.charts import Resource
from adapter.sandbox.families import story
from tests.acceptance.adapter_cli import Adapter
from tests.acceptance.vendor import Vendor, vendor_of


@pytest.fixture(autouse=True)
def _quiet_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the environment it was started from."""
    for name in ("ADAPTER_CONFIG", "ADAPTER_DEBUG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def families() -> list[Resource]:
    """Every resource of the hand-written families; ages are right today."""
    return [resource for family in story(datetime.now(UTC).date()) for resource in family.resources]


@pytest.fixture
def adapter(tmp_path: Path) -> Adapter:
    """An installation that reads an empty folder and holds no Welcome emails."""
    return Adapter(tmp_path / "site", policy="hold_first_welcome = false")


@pytest.fixture
def story_adapter(adapter: Adapter, families: list[Resource]) -> Adapter:
    """An installation whose first sync has read the story's families."""
    adapter.export(families)
    adapter.sync()
    return adapter


@pytest.fixture(scope="session")
def first_sync(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The story's families after their first sync, made by a process of its own: a folder to copy."""
    site = Adapter(tmp_path_factory.mktemp("first-sync") / "site", policy="hold_first_welcome = false")
    site.export(resource for family in story(datetime.now(UTC).date()) for resource in family.resources)
    done = site.process("sync")
    assert done.returncode == 3, done.stderr  # a chart or two is held for a human
    return site.folder


@pytest.fixture
def site(first_sync: Path, tmp_path: Path) -> Adapter:
    """An installation after its first sync; Welcome emails are queued, and nobody has the database open."""
    return Adapter(shutil.copytree(first_sync, tmp_path / "site"), policy="hold_first_welcome = false")


@pytest.fixture(scope="session")
def served(first_sync: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    """An installation after its first sync that is open to a vendor, for the tests that only read."""
    folder = shutil.copytree(first_sync, tmp_path_factory.mktemp("served") / "site")
    with vendor_of(Adapter(folder, policy="hold_first_welcome = false")) as found:
        yield found


@pytest.fixture
def vendor(served: Vendor) -> Vendor:
    """The vendor with a session of its own, not signed in yet."""
    return Vendor(served.address, served.app, served.folder)
