"""Mail as files, and the key file."""

import stat
import threading
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.errors import ConfigError, FatalError
from adapter.mail import Handed
from adapter.mail.folder import FolderMailer, file_name
from adapter.mail.key import read_or_create_key
from tests.edges.mail.letters import ANA, welcome


def test_a_mail_becomes_one_file_that_mail_programs_can_open(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "mail"
    assert FolderMailer(folder).send(welcome()) is Handed.SENT
    (file,) = folder.iterdir()
    assert file.name == "welcome.1@portal.example.eml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert message["To"].addresses[0].addr_spec == ANA.email


def test_the_same_mail_twice_is_one_file(tmp_path: Path) -> None:
    mailer = FolderMailer(tmp_path)
    mailer.send(welcome())
    mailer.send(welcome())
    mailer.send(welcome(message_id="<welcome.2@portal.example>"))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file, not a folder")
    with pytest.raises(FatalError, match=r"mail\.path"):
        FolderMailer(tmp_path / "mail").send(welcome())
    with pytest.raises(FatalError, match=r"mail\.path"):
        FolderMailer(tmp_path / "mail").check()


def test_check_says_where_mail_goes(tmp_path: Path) -> None:
    assert str(tmp_path / "mail") in FolderMailer(tmp_path / "mail").check()


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_message_id_can_leave_the_folder_or_take_anothers_file(one: str, other: str) -> None:
    name = file_name(f"<{one}@x>")
    assert "/" not in name
    assert "\x00" not in name
    assert not name.startswith(".")
    assert len(name) < 130
    same = f"<{one}@x>".strip("<>") == f"<{other}@x>".strip("<>")
    assert (name == file_name(f"<{other}@x>")) is same


def test_the_key_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "var" / "link.key"
    key = read_or_create_key(path)
    assert len(key) == 32
    assert read_or_create_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["link.key"]


def test_workers_that_start_together_get_the_same_key(tmp_path: Path) -> None:
    keys: list[bytes] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        keys.append(read_or_create_key(tmp_path / "link.key"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


def test_a_key_of_another_size_or_open_to_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "link.key"
    path.write_bytes(b"short")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="5 bytes instead of 32"):
        read_or_create_key(path)
    path.write_bytes(b"x" * 32)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others"):
        read_or_create_key(path)
