"""How the demo talks: headings, sentences, commands to copy, mails as they arrived, and the news while it stays up."""

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.padding import Padding
from rich.text import Text

from adapter.cli.base import out
from adapter.cli.progress import progress_bar
from adapter.cli.render import show_run
from adapter.sandbox.demo import Demo
from adapter.sandbox.demo_files import PRACTICE
from adapter.sandbox.mailbox import Received

_TOKEN = re.compile(r"(?<=token=)([\w-]{4})[\w-]+")


def link_in(mail: Received) -> str:
    """The link in a Welcome email."""
    body = mail.message.get_body(("plain",))
    found = re.search(r"https?://\S+token=\S+", body.get_content()) if body is not None else None
    return found[0] if found else ""


def heading(number: int, title: str) -> None:
    out.print()
    out.rule(Text(f"{number}  {title}", "bold"), align="left", style="dim")
    out.print()


def say(sentences: str) -> None:
    out.print(sentences, markup=False)


def show_command(arguments: str) -> None:
    out.print(Text(f"\n$ adapter {arguments}", "cyan"))


def show_commands(*commands: tuple[str, str]) -> None:
    """Commands as one types them, each with what it does."""
    typed = [f"{_program()} {command}" for command, _ in commands]
    width = max(map(len, typed))
    for line, (_, what) in zip(typed, commands, strict=True):
        show_line(f"{line:<{width}}  # {what}")


def show_line(command: str) -> None:
    """A line to copy: never wrapped."""
    out.print(f"  {command}", markup=False, soft_wrap=True)


def _program() -> str:
    """The command as it was called: ``adapter``, or where it lies in a virtual environment."""
    called = Path(sys.argv[0])
    if called.name != "adapter":
        return "python -m adapter"
    return str(called) if called.parent.name == "bin" and not called.is_absolute() else "adapter"


def show_mail(mail: Received) -> None:
    """A mail as it arrived, its link shortened: whoever has the whole link can set the password."""
    message = mail.message
    body = message.get_body(("plain",))
    head = f"To:       {message['To']}\nSubject:  {message['Subject']}"
    paragraphs = "\n".join((body.get_content() if body else "").splitlines()).split("\n\n")[:4]
    shown = _TOKEN.sub(r"\1…", "\n\n".join([head, *paragraphs, "…"]))
    out.print(Padding(Text(shown, "dim"), (1, 2)))


def tell_desk(address: str) -> None:
    """Where the desk is; the address lets one person in, once."""
    say("\nThe admin's desk, for whoever opens this address first:\n")
    show_line(address)


@contextmanager
def showing_arrivals(demo: Demo, total: int) -> Iterator[None]:
    """Shows on a terminal how many mails have arrived."""
    done = threading.Event()
    with progress_bar(PRACTICE) as progress:

        def look() -> None:
            while not done.wait(0.1):
                progress("mails", len(demo.mailbox.messages), total)

        looking = threading.Thread(target=look, name="arrivals", daemon=True)
        looking.start()
        try:
            yield
        finally:
            done.set()
            looking.join()


class News:
    """Tells what happened since it was last asked: runs that changed something, and mail that arrived."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._run = max((run["run"] for run in demo.runs_since(0)), default=0)
        self._mails = len(demo.mailbox.messages)

    def tell(self) -> None:
        for run in self._demo.runs_since(self._run):
            self._run = run["run"]
            if run["changes"] or run["problems"]:
                out.print()
                show_run(run)
        mails = self._demo.mailbox.messages
        for mail in mails[self._mails :]:
            out.print(f"\nNew mail to {', '.join(mail.recipients)}: {mail.message['Subject']}", markup=False)
        self._mails = len(mails)
