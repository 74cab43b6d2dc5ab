"""How long Find takes to answer: ``python -m benchmarks.find [--contacts 1000000] [--store URL]``.

Charts and contacts are put into the database as a sync leaves them, made findable, and then looked for by the
beginnings of names, two words, addresses and numbers, as they stand there and as nobody is called.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime

import sqlalchemy as sa

from adapter.core.facts import Authority, Contact, Patient, Role
from adapter.core.persons import name_key
from adapter.jobs.find import Finder, catch_up
from adapter.sandbox.names import BOYS, GIRLS, MEN, SURNAME_ENDS, SURNAME_STARTS, WOMEN
from adapter.store import runs
from adapter.store import tables as t
from adapter.store.engine import begin, make_engine
from adapter.store.migrations import migrate
from adapter.store.sql import insert_all
from adapter.store.stored import encode

HERE = "bench"
BATCH = 5_000
GIVEN = GIRLS + BOYS + WOMEN + MEN
QUERIES = 100
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.find", description=__doc__.partition("\n")[0])
    parser.add_argument("--contacts", type=int, default=1_000_000, help="Family Contacts (1000000)")
    parser.add_argument("--store", help="an empty database; a SQLite file in a temporary folder when left out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        engine = make_engine(options.store or f"sqlite:///{folder}/adapter.db")
        migrate(engine)
        fill(engine, options.contacts)
        began = time.perf_counter()
        catch_up(engine, HERE)
        took = time.perf_counter() - began
        print(f"{options.contacts:,} contacts and half as many charts made findable in {took:.0f} s", flush=True)
        measure(engine, options.contacts)


def fill(engine: sa.Engine, contacts: int) -> None:
    """Half as many children as contacts; each given name as frequent as the most frequent ones are."""
    pick = random.Random(1)
    with begin(engine) as connection:
        run = runs.start(connection, HERE, "full", NOW)
    for start in range(0, contacts // 2, BATCH):
        charts, people = [], []
        for number in range(start, min(start + BATCH, contacts // 2)):
            family = _family(pick)
            child = Patient(f"Patient/{number}", "", names=(f"{pick.choice(GIVEN)} {family}",), mrn=f"{number:07}")
            charts.append(_row(child, run))
            for nth, role in enumerate((Role.MOTHER, Role.FATHER)):
                name = f"{pick.choice(GIVEN)} {family}"
                email = f"{name.replace(' ', '.').lower()}{number}@mail.example"
                contact = Contact(
                    f"RelatedPerson/{number}-{nth}",
                    "",
                    patient=f"Patient/{number}",
                    role=role,
                    authority=Authority.JOINT,
                    names=(name,),
                    email=email,
                    email_key=email,
                    email_problem=None,
                )
                keys = {"patient": contact.patient, "email_key": email, "name_key": name_key(contact.names)}
                people.append(_row(contact, run) | keys)
        with begin(engine) as connection:
            insert_all(connection, t.patient, charts)
            insert_all(connection, t.contact, people)
    with begin(engine) as connection:
        runs.finish(connection, run, status="complete", plan_hash=None, report={}, now=NOW)


def measure(engine: sa.Engine, contacts: int) -> None:
    """Each kind of question, ``QUERIES`` times."""
    pick, finder = random.Random(2), Finder(engine)

    def name() -> str:
        return pick.choice(GIVEN)

    kinds: dict[str, Callable[[], str]] = {
        "two letters": lambda: name()[:2],
        "three letters": lambda: name()[:3],
        "a whole name": lambda: f"{name()} {_family(pick)}",
        "two beginnings": lambda: f"{name()[:2]} {_family(pick)[:3]}",
        "an address's beginning": lambda: f"{name().lower()}.{_family(pick).lower()[:4]}",
        "a number": lambda: f"{pick.randrange(contacts // 2):07}",
        "nobody": lambda: f"{name()[:2]} zzq",
    }
    every: list[float] = []
    print(f"  {'':<26}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}")
    for kind, text in kinds.items():
        took = sorted(_timed(finder, text()) for _ in range(QUERIES))
        every += took
        print(f"  {kind:<26}" + _cells(took))
    print(f"  {'all':<26}" + _cells(sorted(every)))


def _timed(finder: Finder, text: str) -> float:
    began = time.perf_counter()
    finder.find(HERE, text)
    return (time.perf_counter() - began) * 1000


def _cells(took: list[float]) -> str:
    return "".join(f"{value:>9.1f}" for value in (took[len(took) // 2], took[int(len(took) * 0.95)], took[-1]))


def _family(pick: random.Random) -> str:
    return pick.choice(SURNAME_STARTS) + pick.choice(SURNAME_ENDS)


def _row(fact: Patient | Contact, run: int) -> dict[str, object]:
    facts = encode(fact).decode()
    return {"practice": HERE, "ref": fact.ref, "hash": "x", "facts": facts, "changed_run": run, "seen_run": run}


if __name__ == "__main__":
    main()
