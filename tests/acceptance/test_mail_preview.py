"""`adapter mail preview`: the Welcome email in the practice's own words, before anybody gets it."""

from pathlib import Path

from tests.acceptance.adapter_cli import Adapter
from tests.edges.mail.test_texts import OWN


def test_preview_shows_the_mail_and_sends_nothing(adapter: Adapter, tmp_path: Path) -> None:
    (adapter.folder / "texts.toml").write_text(OWN)
    with adapter.config.open("a") as config:
        config.write("[practice.mail]\ntexts = 'texts.toml'\n")
    done = adapter.run("mail", "preview", "--html", tmp_path / "mail.html")
    assert done.code == 0
    assert "Subject: Welcome to Main Street Pediatrics" in done.out and "we move to a new portal" in done.out
    assert ">Start</a>" in (tmp_path / "mail.html").read_text()
    assert "Su cuenta del portal" in adapter.run("mail", "preview", "--language", "es").out
    assert adapter.mails() == []
