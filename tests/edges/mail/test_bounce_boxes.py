"""Delivery reports: what they say, and reading each of them once from a maildir or an IMAP server."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.core.bounce import Bounce, BounceKind
from adapter.errors import FatalError, RetriableError
from adapter.mail.bounces.imap import ImapBox
from adapter.mail.bounces.maildir import MaildirBox
from adapter.mail.bounces.report import MOST_BYTES, read_report
from tests.edges.mail.imap_server import ImapFolder, imap_server
from tests.edges.mail.reports import complaint, report, vacation

HARD = Bounce(
    kind=BounceKind.HARD, email_key="a1@mail.example", message_id="<welcome.w1@portal.example>", status="5.1.1"
)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (report(), [("hard", "a1@mail.example", "<welcome.w1@portal.example>", "5.1.1")]),
        (report(to="A1@Mail.Example"), [("hard", "a1@mail.example", "<welcome.w1@portal.example>", "5.1.1")]),
        (report(original=False), [("hard", "a1@mail.example", "", "5.1.1")]),
        (report(status="4.2.2"), [("soft", "a1@mail.example", "<welcome.w1@portal.example>", "4.2.2")]),
        (
            report(status="4.4.7", action="delayed"),
            [("soft", "a1@mail.example", "<welcome.w1@portal.example>", "4.4.7")],
        ),
        (complaint(), [("complaint", "a1@mail.example", "<welcome.w1@portal.example>", "")]),
        (vacation(), []),
        (b"", []),
        (b"\xff\x00" * 100, []),
        (report() + b"x" * MOST_BYTES, []),
    ],
)
def test_what_a_report_says(content: bytes, found: list[tuple[str, ...]]) -> None:
    assert [(one.kind, one.email_key, one.message_id, one.status) for one in read_report(content)] == found


@given(st.integers(0, len(report())), st.binary(max_size=40), st.integers(0, 60))
@settings(max_examples=300, deadline=None)
def test_a_damaged_report_raises_nothing_and_names_no_other_address(at: int, junk: bytes, gone: int) -> None:
    content = report()
    for one in read_report(content[:at] + junk + content[at + gone :]):
        assert "@" in one.email_key


def test_a_maildir_is_read_once_and_only_what_was_kept_counts(tmp_path: Path) -> None:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    for number, content in enumerate((report(), vacation())):
        (tmp_path / "new" / f"17.{number}.mx").write_bytes(content)
    box = MaildirBox(tmp_path)
    assert "2 wait" in box.check()

    def busy(_: object) -> None:
        raise RetriableError("busy")

    with pytest.raises(RetriableError):
        box.collect(busy)
    found: list[Bounce] = []
    assert box.collect(found.extend) == 2
    assert found == [HARD]
    assert box.collect(found.extend) == 0
    assert sorted(file.name for file in (tmp_path / "cur").iterdir()) == ["17.0.mx:2,S", "17.1.mx:2,S"]


def test_a_maildir_that_is_none_says_so(tmp_path: Path) -> None:
    for look in (
        lambda: MaildirBox(tmp_path / "no").check(),
        lambda: MaildirBox(tmp_path / "no").collect(lambda _: None),
    ):
        with pytest.raises(FatalError, match=r"bounces\.maildir"):
            look()


def box_of(folder: ImapFolder, password: str = "s3cret") -> ImapBox:
    return ImapBox("127.0.0.1", folder.port, username="bounces", password=password, encrypted=False)


def test_an_imap_mailbox_is_read_once_and_only_what_was_kept_counts() -> None:
    with imap_server(ImapFolder([report(), vacation(), report(to="b2@mail.example")])) as folder:
        assert "3 wait" in box_of(folder).check()
        found: list[Bounce] = []

        def second_fails(bounces: object) -> None:
            if found:
                raise RetriableError("busy")
            found.extend(bounces)  # type: ignore[arg-type]

        with pytest.raises(RetriableError):
            box_of(folder).collect(second_fails)
        assert (found, folder.seen) == ([HARD], {1})
        assert box_of(folder).collect(found.extend) == 2
        assert [one.email_key for one in found] == ["a1@mail.example", "b2@mail.example"]
        assert box_of(folder).collect(found.extend) == 0


@pytest.mark.parametrize("broken", ["LOGIN", "SELECT", "SEARCH", "FETCH", "STORE"])
def test_an_imap_server_that_hangs_up_is_tried_again_and_nothing_is_lost(broken: str) -> None:
    with imap_server(ImapFolder([report()], broken=broken)) as folder:
        found: list[Bounce] = []
        with pytest.raises(RetriableError, match=r"\[bounces\]"):
            box_of(folder).collect(found.extend)
        folder.broken = ""
        assert box_of(folder).collect(found.extend) == 1
        assert HARD in found


def test_a_wrong_password_is_not_told() -> None:
    with imap_server(ImapFolder()) as folder, pytest.raises(RetriableError) as refused:
        box_of(folder, "canary").check()
    assert "canary" not in f"{refused.value}{box_of(folder, 'canary')!r}"
