"""Finding families in both databases, and keeping what is searched up to date."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from adapter.core.facts import Authority, Contact, Patient, Role
from adapter.jobs.find import Finder, catch_up
from adapter.store import find, runs
from adapter.store import tables as t
from adapter.store.engine import begin, read
from adapter.store.stored import encode

HERE = "main-street"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def _put(engine: sa.Engine, *facts: Patient | Contact, ends: bool = True) -> int:
    """Stores these records as a run does."""
    with begin(engine) as connection:
        run = runs.start(connection, HERE, "full", NOW)
        for one in facts:
            common: dict[str, object] = {"changed_run": run, "seen_run": run, "practice": HERE, "ref": one.ref}
            common |= {"hash": "x", "facts": encode(one).decode()}
            table = t.patient if isinstance(one, Patient) else t.contact
            connection.execute(sa.delete(table).where(table.c.ref == one.ref))
            if isinstance(one, Contact):
                common |= {"patient": one.patient, "email_key": one.email_key, "name_key": ""}
            connection.execute(sa.insert(table).values(**common))
        if ends:
            runs.finish(connection, run, status="complete", plan_hash=None, report={}, now=NOW)
    return run


def _mother(name: str = "Imani Osei", email: str = "imani@mail.example", number: int = 1) -> Contact:
    return Contact(
        f"RelatedPerson/c{number}",
        "",
        patient="Patient/p1",
        role=Role.MOTHER,
        authority=Authority.JOINT,
        names=(name,),
        email=email,
        email_key=email,
        email_problem=None,
    )


CHILD = Patient("Patient/p1", "", names=("Kofi Osei",), mrn="MRN-0042", birth_date="2020-01-01")


@pytest.mark.parametrize("text", ["osei", "ima os", "imani@", "imani@mail.example"])
def test_a_mother_is_found_with_her_child(engine: sa.Engine, text: str) -> None:
    _put(engine, CHILD, _mother())
    found = Finder(engine).find(HERE, text)
    (person,) = found.people
    assert (person.name, person.relations) == ("Imani Osei", [("mother", "Kofi Osei")])
    assert not found.catching_up and not found.more


@pytest.mark.parametrize("text", ["kofi", "MRN-0042", "mrn 00"])
def test_a_child_is_found_with_those_on_its_chart(engine: sa.Engine, text: str) -> None:
    _put(engine, CHILD, _mother())
    (child,) = Finder(engine).find(HERE, text).children
    assert (child.name, child.mrn, child.relations) == ("Kofi Osei", "MRN-0042", [("mother", "Imani Osei")])


def test_who_changes_a_name_is_found_by_the_new_one_alone(engine: sa.Engine) -> None:
    finder = Finder(engine)
    _put(engine, CHILD, _mother())
    assert finder.find(HERE, "imani").people
    _put(engine, _mother("Grace Okafor", "grace@mail.example"))
    assert not finder.find(HERE, "imani").people and finder.find(HERE, "okafor").people


def test_a_record_that_is_gone_is_not_found(engine: sa.Engine) -> None:
    finder = Finder(engine)
    _put(engine, CHILD, _mother())
    assert finder.find(HERE, "imani").people
    with begin(engine) as connection:
        connection.execute(sa.delete(t.contact))
    assert not finder.find(HERE, "imani").people


def test_another_practice_finds_nobody_here(engine: sa.Engine) -> None:
    _put(engine, CHILD, _mother())
    assert not Finder(engine).find("high-street", "osei").people


def test_what_a_run_under_way_has_read_is_taken_in_when_it_ends(engine: sa.Engine) -> None:
    run = _put(engine, CHILD, _mother(), ends=False)
    catch_up(engine, HERE)
    with read(engine) as connection:
        assert find.behind(connection, HERE) == (0, run - 1)
    with begin(engine) as connection:
        runs.finish(connection, run, status="failed", plan_hash=None, report={}, now=NOW)
    assert Finder(engine).find(HERE, "osei").people


def test_letters_that_the_database_could_misread_are_only_letters(engine: sa.Engine) -> None:
    _put(engine, CHILD, _mother("Percy O'Neil_Smith"))
    finder = Finder(engine)
    for text in ("%%", "__", "o' OR 1=1", '"; DROP TABLE find_key', "imani@%"):
        assert not finder.find(HERE, text).people
    assert finder.find(HERE, "o'neil").people


def test_many_are_cut_and_said_to_be_more(engine: sa.Engine) -> None:
    _put(engine, CHILD, *(_mother(f"Maria Garcia {chr(97 + n)}x", f"m{n}@mail.example", n) for n in range(20)))
    found = Finder(engine).find(HERE, "maria ga")
    assert len(found.people) == 12 and found.more
