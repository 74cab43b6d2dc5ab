"""The authority file: what it may hold, what is wrong with it, and how it goes together with what the record says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.core.authority_file import AuthorityFile, Wrong, beside, read_authorities, stated_for
from adapter.core.facts import Authority, Contact

J, E, N, U = Authority.JOINT, Authority.EXCLUSIVE, Authority.NONE, Authority.UNKNOWN
GOOD = "contact,authority\nr1,joint\nRelatedPerson/r2, Exclusive \nr3,NONE\n"
BY_CHART = "contact,patient,authority\nr1,p1,joint\nr1,Patient/p2,none\nr2,,joint\n"


def read(text: str) -> AuthorityFile:
    found = read_authorities(text)
    assert isinstance(found, AuthorityFile), found
    return found


def faults(text: str) -> list[tuple[str, str]]:
    found = read_authorities(text)
    assert isinstance(found, list)
    return [(wrong.where, wrong.problem) for wrong in found]


def stated(file: AuthorityFile, ref: str, chart: str, *, persons: bool = False) -> Authority | None:
    return stated_for(Contact(f"RelatedPerson/{ref}", "", chart), file, ids_are_persons=persons)[1]


def test_a_good_file_states_an_authority_for_each_contact() -> None:
    file = read(GOOD)
    assert [stated(file, ref, "Patient/p1") for ref in ("r1", "r2", "r3", "r4")] == [J, E, N, None]
    assert len(file) == 3


def test_a_line_may_name_the_chart_and_then_counts_there_alone() -> None:
    file = read(BY_CHART)
    assert [stated(file, "r1", chart) for chart in ("Patient/p1", "Patient/p2", "Patient/p3", "")] == [J, N, None, None]
    assert stated(file, "r2", "Patient/p9") is J


def test_where_ids_are_persons_only_a_line_with_the_chart_counts() -> None:
    file = read(BY_CHART)
    assert stated(file, "r1.0123456789abcdef", "Patient/p1", persons=True) is J
    assert stated(file, "r1.0123456789abcdef", "Patient/p2", persons=True) is N
    assert stated(file, "r2.0123456789abcdef", "Patient/p1", persons=True) is None


def test_columns_come_in_any_order_and_lines_too() -> None:
    other = read("Authority,Contact\r\nnone,r3\r\njoint,r1\r\n\r\nexclusive,r2\r\n")
    assert (other.rows, other.hash) == (read(GOOD).rows, read(GOOD).hash)
    assert read(GOOD.replace("r3,NONE", "r3,joint")).hash != other.hash


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("", "line 1", "the column contact is missing"),
        ("contact,authority\n", "line 2", "is missing: a file without a line"),
        ("contact,authority,name\nr1,joint,x\n", "line 1, column 3", "is not one of contact, patient, authority"),
        ("contact;authority\nr1;joint\n", "line 1, column 1", "is not one of"),
        ("contact,authority,authority\nr1,joint,none\n", "line 1", "the column authority is there twice"),
        ("contact,authority\nr1\n", "line 2", "has 1 cells, the header has 2"),
        ("contact,authority\nr1,joint,x\n", "line 2", "has 3 cells, the header has 2"),
        ("contact,authority\nr1,joint\n,none\n", "line 3, column contact", "is not the id of a RelatedPerson"),
        ("contact,authority\nr 1,joint\n", "line 2, column contact", "is not the id of a RelatedPerson"),
        ("contact,authority\nPatient/r1,joint\n", "line 2, column contact", "is not the id of a RelatedPerson"),
        ("contact,patient,authority\nr1,p 1,joint\n", "line 2, column patient", "is not the id of a Patient"),
        ("contact,authority\nr1,shared\n", "line 2, column authority", "is none of joint, exclusive, none"),
        ("contact,authority\nr1,\n", "line 2, column authority", "is none of joint, exclusive, none"),
        ("contact,authority\nr1,joint\nr1,none\n", "line 3, column authority", "contradicts an earlier line"),
        ("contact,patient,authority\nr1,,joint\nr1,p1,none\n", "line 3, column patient", "names a chart where another"),
        ('contact,authority\nr1,"joint\n', "line 3", "is not CSV"),
        ('contact,authority\nr1,"jo"int"\n', "line 2", "is not CSV"),
    ],
)
def test_a_fault_names_line_and_column_and_quotes_nothing(text: str, where: str, problem: str) -> None:
    found = faults(text)
    assert any(place == where and problem in said for place, said in found), found
    assert "shared" not in str(found) and "r 1" not in str(found)


def test_the_same_line_twice_is_no_contradiction_and_all_faults_come_at_once() -> None:
    assert read("contact,authority\nr1,joint\nr1,Joint\n").rows == {"RelatedPerson/r1": {"": J}}
    assert len(faults("contact,authority\nr1,x\nr2,y\n,joint\n")) == 3


@pytest.mark.parametrize(
    ("record", "text", "file", "together"),
    [
        (U, "", J, J),
        (U, "", E, E),
        (U, "", N, N),
        (J, "", J, J),
        (E, "", E, E),
        (N, "", N, N),
        (J, "", N, N),
        (N, "", J, N),
        (N, "", E, N),
        (J, "", E, U),
        (E, "", J, U),
        (U, "court order", J, U),
        (U, "court order", E, U),
        (U, "court order", N, N),
    ],
)
def test_record_and_file_go_together_and_the_stricter_wins(
    record: Authority, text: str, file: Authority, together: Authority
) -> None:
    found = beside(Contact("RelatedPerson/r1", "", "Patient/p1", authority=record, authority_text=text), file)
    assert found.authority is together
    assert bool(found.authority_text) == (together is U)


@given(st.text(max_size=60) | st.text(alphabet='contacuhriyp12,\n\r"jne; ', max_size=60))
@settings(max_examples=300)
def test_any_text_is_a_file_or_a_list_of_faults(text: str) -> None:
    for content in (text, "contact,authority\n" + text, "contact,patient,authority\nr1,p1,joint\n" + text):
        found = read_authorities(content)
        assert isinstance(found, AuthorityFile) or (found and all(isinstance(each, Wrong) for each in found))


@given(st.integers(0, len(BY_CHART) - 1), st.sampled_from(["", ",", "\n", "\x00", '"', "x", " "]))
@settings(max_examples=400)
def test_damaging_one_character_opens_nothing_for_anybody_else_and_turns_no_none_into_a_yes(at: int, junk: str) -> None:
    damaged = read_authorities(BY_CHART[:at] + junk + BY_CHART[at + 1 :])
    if isinstance(damaged, AuthorityFile):
        for chart in ("Patient/p1", "Patient/p2"):
            before, after = stated(read(BY_CHART), "r1", chart), stated(damaged, "r1", chart)
            assert after in (before, None)
