"""The Welcome email through a real mail server, Postfix: what arrives, what is refused, and what comes back."""

from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import dkim
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from adapter.jobs.bounces import receive
from adapter.mail.bounces.maildir import MaildirBox
from adapter.mail.signature import DkimKey, Signer
from adapter.mail.smtp import SmtpMailer
from adapter.store.engine import make_engine
from tests.acceptance.delivery import MAIN_STREET, Outbound
from tests.edges.effects import add_account, add_welcome, states
from tests.edges.mail.letters import part
from tests.edges.mail.postfix import Postfix, installed, postfix
from tests.edges.mail.servers import Mailbox, certificate, smtp_server

A1, SENDER, GONE = "a1@mail.example", MAIN_STREET.mail_from, "gone@far.example"
DOMAIN, SELECTOR = "portal.example", "adapter"


@pytest.fixture
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postfix]:
    if not installed():
        pytest.skip("Postfix is not installed, or this is not root")
    far = Mailbox(recipient="550 5.1.1 No such user here")
    with smtp_server(far) as next_hop, postfix(tmp_path / "server.pem", [A1, SENDER], next_hop.port) as running:
        yield running


@pytest.fixture
def outbound(sqlite_url: str, tmp_path: Path, key: rsa.RSAPrivateKey, request: pytest.FixtureRequest) -> Outbound:
    _, trusting = certificate(tmp_path)
    running: Postfix = request.getfixturevalue("server")
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    signer = Signer({SENDER: DkimKey(domain=DOMAIN, selector=SELECTOR, pem=pem)})
    mailer = SmtpMailer("127.0.0.1", running.port, connections=3, sign=signer, tls=trusting)
    return Outbound(make_engine(sqlite_url), mailer)


def test_a_real_mail_server_takes_refuses_puts_off_and_returns_mail_as_it_should(
    outbound: Outbound, server: Postfix, key: rsa.RSAPrivateKey
) -> None:
    addresses = {"w1": A1, "w2": "nobody@mail.example", "w3": "late@mail.example", "w4": GONE}
    for welcome, address in addresses.items():
        add_account(outbound.engine, f"of-{welcome}", email=address)
        add_welcome(outbound.engine, welcome, f"of-{welcome}", email=address)
    assert outbound.deliver() == {"welcome": {"sent": 2, "failed": 1, "queued": 1}}
    assert states(outbound.engine) == {
        "w1-mail": "sent",
        "w2-mail": "failed",
        "w3-mail": "queued",
        "w4-mail": "sent",
    }
    assert outbound.findings() == ["welcome-bounced"]  # nobody@mail.example

    _arrived_whole(server.maildir(A1), key)

    engine: sa.Engine = outbound.engine
    found: list[dict[str, int]] = []
    box = MaildirBox(server.maildir(SENDER))
    assert box.collect(lambda bounces: found.append(dict(receive(engine, bounces, now=outbound.at)))) == 1
    assert found == [{"suppressed": 1}]
    assert states(outbound.engine)["w4-mail"] == "failed"
    assert outbound.findings() == ["welcome-bounced", "welcome-bounced"]
    assert ("welcome-failed", "of-w4", "welcome-bounced") in outbound.audit()


def _arrived_whole(box: Path, key: rsa.RSAPrivateKey) -> None:
    (file,) = (box / "new").iterdir()
    content = file.read_bytes().replace(b"\n", b"\r\n")
    mail = message_from_bytes(content, policy=policy.default)
    assert (mail["Delivered-To"], mail["Return-Path"]) == (A1, f"<{SENDER}>")
    assert mail["Message-ID"] == "<welcome.w1@portal.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "with ESMTPS" in str(mail["Received"])
    assert [one.get_content_type() for one in mail.iter_parts()] == ["text/plain", "text/html"]
    for kind in ("plain", "html"):
        assert MAIN_STREET.registration_url in part(mail, kind)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; k=rsa; p=" + b"".join(public.splitlines()[1:-1])
    names: list[bytes] = []

    def dns(name: bytes, timeout: int = 5) -> bytes:
        names.append(name)
        return record

    assert dkim.verify(content, dnsfunc=dns)
    assert names == [b"adapter._domainkey.portal.example."]
    assert not dkim.verify(content.replace(b"2 days", b"9 days"), dnsfunc=dns)
