"""The sender's domain: signatures that a receiver can check, and what is missing in the DNS."""

from base64 import b64encode
from email import message_from_bytes, policy
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from adapter.errors import ConfigError, FatalError
from adapter.mail import Handed, sender_dns
from adapter.mail.folder import FolderMailer
from adapter.mail.render import Reader
from adapter.mail.sender_dns import SenderDns
from adapter.mail.signature import DkimKey, Signer, read_dkim_key
from adapter.mail.smtp import SmtpMailer
from tests.edges.mail.letters import notice, welcome
from tests.edges.mail.name_server import name_server
from tests.edges.mail.servers import Mailbox, smtp_server

DOMAIN, SENDER, SELECTOR = "portal.example", "no-reply@portal.example", "adapter1"
KEY = rsa.generate_private_key(65537, 2048)
PUBLIC = b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()
IN_ORDER = {
    DOMAIN: ["google-site-verification=x", "v=spf1 include:mail.example -all"],
    f"{SELECTOR}._domainkey.{DOMAIN}": [f"v=DKIM1; k=rsa; p={PUBLIC}"],
    f"_dmarc.{DOMAIN}": ["v=DMARC1; p=reject; rua=mailto:it@portal.example"],
}


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture
def signer() -> Signer:
    return Signer({SENDER: DkimKey(domain=DOMAIN, selector=SELECTOR, pem=pem(KEY))})


def verified(content: bytes) -> bool:
    """As a receiver does it, with the key from the DNS."""
    return bool(dkim.verify(content, dnsfunc=lambda name, timeout=5: IN_ORDER[name.decode().rstrip(".")][0].encode()))


def test_what_arrives_through_smtp_is_signed_and_nothing_of_it_can_be_changed(signer: Signer) -> None:
    mailbox = Mailbox()
    with smtp_server(mailbox, enable_SMTPUTF8=True) as server:
        mailer = SmtpMailer("127.0.0.1", server.port, security="none", sign=signer)
        for message in (welcome(), welcome(Reader(email="a@b.example", name="José", language="es")), notice()):
            assert mailer.send(message) is Handed.SENT
        assert mailer.send(welcome(Reader(email="jörg@b.example"), username="x@y.example")) is Handed.SENT
        mailer.close()
    for content in mailbox.messages:
        assert verified(content)
        assert message_from_bytes(content, policy=policy.default)["DKIM-Signature"]
    content = mailbox.messages[0]
    assert not verified(content.replace(b"portal account", b"portal acc0unt"))
    assert not verified(content.replace(b"Subject: ", b"Subject: Fwd: "))
    assert not verified(content.replace(b"Subject: ", b"Subject: Another\r\nSubject: "))
    assert not verified(content.replace(b"To: ", b"To: x@evil.example\r\nTo: "))


def test_a_mail_in_the_folder_is_signed_too_and_another_senders_is_not(signer: Signer, tmp_path: Path) -> None:
    FolderMailer(tmp_path, sign=signer).send(welcome())
    (file,) = tmp_path.iterdir()
    assert verified(file.read_bytes())
    content = b"From: x@elsewhere.example\r\n\r\nHello\r\n"
    assert signer(content, "x@elsewhere.example") == content


def test_a_key_that_receivers_refuse_is_refused_here(tmp_path: Path) -> None:
    cases = {
        "none": None,
        "text": b"hello",
        "curve": pem(ec.generate_private_key(ec.SECP256R1())),
    }
    for name, content in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match="openssl genrsa"):
            read_dkim_key(tmp_path / name, domain=DOMAIN, selector=SELECTOR)
    (tmp_path / "good").write_bytes(pem(KEY))
    key = read_dkim_key(tmp_path / "good", domain=DOMAIN, selector=SELECTOR)
    assert "PRIVATE" not in repr(key)


def test_a_mail_that_cannot_be_signed_does_not_leave() -> None:
    broken = Signer({SENDER: DkimKey(domain=DOMAIN, selector=SELECTOR, pem=b"nonsense")})
    with pytest.raises(FatalError, match="cannot be signed"):
        broken(b"From: x\r\n\r\n", SENDER)


def test_a_domain_in_order() -> None:
    with name_server(IN_ORDER) as address:
        found = SenderDns([address]).look(DOMAIN, selector=SELECTOR)
    assert [(record.what, record.ok) for record in found] == [("SPF", True), ("DKIM", True), ("DMARC", True)]


@pytest.mark.parametrize(
    ("name", "texts", "what", "says"),
    [
        (DOMAIN, None, "SPF", "which servers may send"),
        (DOMAIN, ["something else"], "SPF", "which servers may send"),
        (DOMAIN, ["v=spf1 -all", "v=spf1 mx -all"], "SPF", "counts as none"),
        (DOMAIN, ["v=spf1 +all"], "SPF", "every server"),
        (DOMAIN, ["v=spf1 mx"], "SPF", "does not say what else"),
        (DOMAIN, ["v=spf10 -all"], "SPF", "which servers may send"),
        (f"{SELECTOR}._domainkey.{DOMAIN}", None, "DKIM", "has no key"),
        (f"{SELECTOR}._domainkey.{DOMAIN}", ["v=DKIM1; p="], "DKIM", "no usable key"),
        (f"{SELECTOR}._domainkey.{DOMAIN}", ["v=DKIM1; p=***"], "DKIM", "no usable key"),
        (f"_dmarc.{DOMAIN}", None, "DMARC", "forged mail"),
        (f"_dmarc.{DOMAIN}", ["v=DMARC1"], "DMARC", "names no policy"),
        (f"_dmarc.{DOMAIN}", ["v=DMARC1; p=none", "v=DMARC1; p=reject"], "DMARC", "twice"),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(name: str, texts: list[str] | None, what: str, says: str) -> None:
    known = {key: value for key, value in IN_ORDER.items() if key != name} | ({name: texts} if texts else {})
    with name_server(known) as address:
        found = {record.what: record for record in SenderDns([address]).look(DOMAIN, selector=SELECTOR)}
    assert says in found[what].detail and found[what].remedy and not found[what].ok
    assert all(record.ok for key, record in found.items() if key != what)


def test_a_signature_of_another_domain_does_not_count_for_dmarc() -> None:
    known = IN_ORDER | {f"{SELECTOR}._domainkey.other.example": [f"v=DKIM1; p={PUBLIC}"]}
    with name_server(known) as address:
        found = SenderDns([address]).look(DOMAIN, selector=SELECTOR, signs_as="other.example")
        below = SenderDns([address]).look(f"mail.{DOMAIN}", signs_as=DOMAIN)
    assert [record.ok for record in found] == [True, True, False]
    assert "another domain" in found[2].detail
    assert [record.ok for record in below] == [False, True, False]


def test_a_dns_that_does_not_answer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_dns, "SECONDS", 0.3)
    with name_server({}, silent=True) as address:
        found = SenderDns([address]).look(DOMAIN, selector=SELECTOR)
    assert [record.ok for record in found] == [False] * 3
    assert all("did not answer" in record.detail for record in found)


def test_a_domain_for_examples_is_never_looked_up() -> None:
    (record,) = SenderDns().look("portal.example")
    assert record.ok and "reserved" in record.detail
