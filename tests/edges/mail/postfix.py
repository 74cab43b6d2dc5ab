"""A Postfix of the tests' own: a private configuration, queue and port, on loopback, for as long as a test lasts."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

DAEMONS = Path("/usr/lib/postfix/sbin")
OWNER, READER = "postfix", "nobody"
PATIENCE = 60.0
_SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
_SETTINGS = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.mail.example
mydestination =
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = mail.example, portal.example
virtual_mailbox_base = {folder}/boxes
virtual_mailbox_maps = texthash:{folder}/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
relay_domains = far.example
transport_maps = texthash:{folder}/transport
smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/greylisted, permit_mynetworks, reject
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = {folder}/server.pem
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
"""


@dataclass(frozen=True)
class Postfix:
    """One that runs. Mail for ``far.example`` goes on to another server; ``late@mail.example`` has to try again."""

    port: int
    folder: Path

    def maildir(self, name: str) -> Path:
        """The maildir of an address, once something has arrived in it."""
        box = self.folder / "boxes" / name
        until(lambda: any(box.glob("new/*")))
        return box


def installed() -> bool:
    """Whether it can run here: its master has to begin as root."""
    return (DAEMONS / "master").exists() and os.geteuid() == 0


@contextmanager
def postfix(pem: Path, mailboxes: list[str], far: int) -> Iterator[Postfix]:
    """Runs one with this certificate and key; ``far`` is the port of the server that takes mail for far.example."""
    folder = Path(tempfile.mkdtemp(prefix="adapter-postfix-"))
    try:
        folder.chmod(0o755)
        port = _free_port()
        _configure(folder, port, pem, mailboxes, far)
        subprocess.run(["postfix", "-c", folder / "conf", "check"], check=True, capture_output=True)
        with subprocess.Popen([DAEMONS / "master", "-c", folder / "conf", "-d"], stderr=subprocess.DEVNULL) as master:
            try:
                until(lambda: _answers(port))
                yield Postfix(port, folder)
            finally:
                master.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def until(true: Callable[[], bool]) -> None:
    """Waits until it is so."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "Postfix took too long."
        time.sleep(0.05)


def _configure(folder: Path, port: int, pem: Path, mailboxes: list[str], far: int) -> None:
    owner, reader = pwd.getpwnam(OWNER), pwd.getpwnam(READER)
    for name in ("conf", "queue", "data", "boxes"):
        (folder / name).mkdir()
    os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
    os.chown(folder / "boxes", reader.pw_uid, reader.pw_gid)
    shutil.copyfile(pem, folder / "server.pem")
    (folder / "server.pem").chmod(0o600)
    settings = _SETTINGS.format(folder=folder, daemons=DAEMONS, uid=reader.pw_uid, gid=reader.pw_gid)
    settings += f"virtual_minimum_uid = {min(reader.pw_uid, 100)}\n"
    (folder / "conf" / "main.cf").write_text(settings)
    (folder / "conf" / "master.cf").write_text(_SERVICES.format(port=port))
    (folder / "mailboxes").write_text("".join(f"{one} {one}/\n" for one in mailboxes))
    (folder / "transport").write_text(f"far.example smtp:[127.0.0.1]:{far}\n")
    (folder / "greylisted").write_text("late@mail.example 450 4.2.0 Greylisted, come back later\n")


def _free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as line:
            return line.recv(4).startswith(b"220")
    except OSError:
        return False
