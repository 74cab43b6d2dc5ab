"""The demo's own files: a configuration and a schedule for a practice that does not exist."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from adapter.bootstrap import App, build
from adapter.sandbox.ehr import SandboxEhr
from adapter.sandbox.loopback import listen
from adapter.sandbox.mailbox import Mailbox
from adapter.sandbox.portals import PortalKind, RunningPortal
from adapter.settings import load_settings

PRACTICE = "main-street"
ZONE = "America/New_York"
MARKER = "# Written by `adapter demo`"

_CONFIG = """{marker} for a practice that does not exist; the next demo writes it anew.
# While the demo runs, every command works with it: adapter --config {path} accounts

[store]
url = "sqlite:///var/adapter.db"
key_file = "var/adapter.key"

[mail]
kind = "smtp"
host = "{mail_host}"
port = {mail_port}
security = "none"

[web]
port = {web_port}

[[practice]]
id = "{practice}"
name = "Main Street Pediatrics"
schedule = "demo"
time_zone = "{zone}"
phone = "+1 555 0100"

[practice.ehr]
kind = "fhir"
base_url = "{base_url}"

[practice.portal]
{portal}

[practice.merchant]
vendor = "instamed"
allowed_hosts = ["pay.first-bank.example"]
"""

_SCHEDULE = """{marker}: as the default schedule, at a pace one can watch.

[[job]]
name = "sync"
every = "10 seconds"

[[job]]
name = "deliver"
every = "5 seconds"

[[job]]
name = "widgets"
every = "1 minute"

[[job]]
name = "compare"
every = "30 seconds"
"""


_EMBEDDED = """kind = "embedded"
registration_url = "http://127.0.0.1:{web_port}/register/{practice}"
"""
_REMOTE = """kind = "{kind}"
base_url = "{base_url}"
{proof}
"""
_PROOFS = {
    PortalKind.SCIM: 'token_file = "var/portal.secret"',
    PortalKind.FHIR: 'auth = "none"',
    PortalKind.HTTP: 'key_id = "adapter"\nsecret_file = "var/portal.secret"',
}


def configured(
    folder: Path,
    ehr: SandboxEhr,
    mailbox: Mailbox,
    portal: RunningPortal | None,
    kind: PortalKind,
    clock: Callable[[], datetime],
) -> App:
    """Writes the demo's configuration and schedule, and assembles the application. No ``portal``: the embedded one."""
    path = folder / "config.toml"
    web_port = _free_port()
    table = _EMBEDDED.format(web_port=web_port, practice=PRACTICE)
    if portal is not None:
        table = _REMOTE.format(kind=kind, base_url=portal.base_url, proof=_PROOFS[kind])
        secret = folder / "var" / "portal.secret"
        secret.parent.mkdir(mode=0o700)
        secret.touch(0o600)
        secret.write_text(portal.secret)
    text = _CONFIG.format(
        marker=MARKER,
        path=path,
        mail_host=mailbox.host,
        mail_port=mailbox.port,
        web_port=web_port,
        practice=PRACTICE,
        zone=ZONE,
        base_url=ehr.base_url,
        portal=table,
    )
    path.write_text(text, encoding="utf-8")
    schedule = folder / "schedules" / "demo.toml"
    schedule.parent.mkdir()
    schedule.write_text(_SCHEDULE.format(marker=MARKER), encoding="utf-8")
    return build(load_settings(path), folder.resolve(), clock=clock)


def _free_port() -> int:
    """A port that nobody has just now; the web server takes it a moment later."""
    with listen(0) as listener:
        port: int = listener.getsockname()[1]
    return port
