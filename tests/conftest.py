"""What every test may use: an empty, migrated database of each kind; and in CI a skipped test fails.

How hard the property tests try: ``HYPOTHESIS_PROFILE=quick|ci|thorough``. CI tries the same 300 examples of each every
time, so that a failure is the change's and not the day's; quick and thorough look elsewhere each time. None has a
deadline: how long an example takes is the machine's. ``mutants`` is for tests/mutants: that a test fails is enough
there, the smallest example is for people.
"""

import io
import logging
import os
import shutil
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from hypothesis import Phase, settings

from adapter.logs import configure_logs
from adapter.store.engine import make_engine
from adapter.store.migrations import migrate
from tests import postgres

IN_CI = os.environ.get("CI") == "true"
_numbers = count(1)
settings.register_profile("quick", max_examples=60, deadline=None)
settings.register_profile("ci", max_examples=300, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=5000, deadline=None)
settings.register_profile(
    "mutants", max_examples=50, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if IN_CI else "quick"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"skipped, which CI does not accept: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if IN_CI and report.skipped:
        report.outcome, report.longrepr = "failed", f"skipped, which CI does not accept: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    engine = make_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def _postgres_folder() -> Iterator[Path]:
    """The socket folder of a PostgreSQL server that holds a migrated database named ``template``."""
    programs = postgres.find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with postgres.server(programs) as folder:
        _run_sql(folder, "CREATE DATABASE template")
        engine = make_engine(postgres.url(folder, "template"))
        migrate(engine)
        engine.dispose()
        yield folder


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a migrated, empty SQLite database."""
    path = tmp_path / "adapter.db"
    shutil.copyfile(_sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(_postgres_folder: Path) -> Iterator[str]:
    """The address of a migrated, empty PostgreSQL database."""
    name = f"test{next(_numbers)}"
    _run_sql(_postgres_folder, f"CREATE DATABASE {name} TEMPLATE template")
    yield postgres.url(_postgres_folder, name)
    _run_sql(_postgres_folder, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def blank_postgres_url(_postgres_folder: Path) -> Iterator[str]:
    """The address of a PostgreSQL database without any table."""
    name = f"blank{next(_numbers)}"
    _run_sql(_postgres_folder, f"CREATE DATABASE {name}")
    yield postgres.url(_postgres_folder, name)
    _run_sql(_postgres_folder, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The address of a migrated, empty database, once of each kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def engine(store_url: str) -> Iterator[sa.Engine]:
    """A migrated, empty database, once of each kind."""
    engine = make_engine(store_url)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def blank_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database without any table, once of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/blank.db"
    else:
        url = request.getfixturevalue("blank_postgres_url")
    engine = make_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    """What is logged, as JSON lines, with a practice named ``main-street``; everything is put back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    before = (root.handlers[:], root.level, logging.raiseExceptions)
    configure_logs(practices=["main-street"], stream=stream)
    yield stream
    root.handlers[:], root.level, logging.raiseExceptions = before
    logging.captureWarnings(False)
    structlog.reset_defaults()


def _run_sql(folder: Path, statement: str) -> None:
    engine = sa.create_engine(postgres.url(folder, "postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
