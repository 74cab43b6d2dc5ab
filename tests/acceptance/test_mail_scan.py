"""Every mail of more than 500 families, as it travels and decoded: nothing in it of the family but its reader."""

import base64
import re
from collections import defaultdict
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from adapter.cli.story import tell_story
from adapter.mail.render import Letterhead, Reader
from adapter.mail.texts import load_texts
from adapter.sandbox.charts import Resource
from adapter.sandbox.demo import running_demo
from adapter.sandbox.families import population, story
from tests.acceptance.test_canaries import TODAY, words_of
from tests.edges.mail.letters import PRACTICE, welcome

FAMILIES = 520
TEXTS = """\
[en]
subject = "{{ name }}, welcome to {{ practice }}"
intro = "Dear {{ name }}, the link works for {{ life }}. {% if phone %}Call {{ phone }}.{% endif %}"
[es]
subject = "{{ name }}, le damos la bienvenida a {{ practice }}"
intro = "Estimada familia: el enlace sirve {{ life }}."
"""


class Families:
    """What a mail must not say, by the address of its reader."""

    def __init__(self, resources: list[Resource]) -> None:
        charts = {f"Patient/{one['id']}": one for one in resources if one["resourceType"] == "Patient"}
        contacts = [one for one in resources if one["resourceType"] == "RelatedPerson"]
        on_chart: dict[str, list[Resource]] = defaultdict(list)
        for contact in contacts:
            on_chart[contact["patient"]["reference"]].append(contact)
        self._own: dict[str, set[str]] = defaultdict(set)
        self._family: dict[str, set[str]] = defaultdict(set)
        for ref, chart in charts.items():
            values = _values(chart) | {value for contact in on_chart[ref] for value in _values(contact)}
            for contact in on_chart[ref]:
                for email in _addresses(contact):
                    self._own[email] |= words_of(contact) | {email}
                    self._family[email] |= values

    def __contains__(self, reader: str) -> bool:
        return reader in self._family

    def heard(self, reader: str, said: list[str]) -> set[str]:
        """The values of this reader's family that occur in what was said, as they are or in another form."""
        own = self._own[reader]
        text = "\n".join(said)
        for word in sorted(own, key=len, reverse=True):
            text = text.replace(word, " ")
        return {value for value in self._family[reader] - own if _occurs(value, text)}


def _addresses(resource: Resource) -> set[str]:
    return {point["value"].strip().lower() for point in resource["telecom"] if point["system"] == "email"}


def _values(resource: Resource) -> set[str]:
    found = words_of(resource) | {item["value"] for item in resource.get("identifier", ())} | _addresses(resource)
    found |= {f"{resource['resourceType']}/{resource['id']}", resource["id"]}
    if born := resource.get("birthDate"):
        year, month, day = born.split("-")
        found |= {born, f"{month}/{day}/{year}", f"{day}/{month}/{year}", born.replace("-", "")}
    return found


def _occurs(value: str, text: str) -> bool:
    raw = value.encode()
    forms = {value, quote(value), raw.hex(), base64.b64encode(raw).decode().rstrip("=")}
    return any(form in text and re.search(rf"(?<!\w){re.escape(form)}(?!\w)", text) for form in forms if len(form) > 1)


def said(content: bytes) -> list[str]:
    """A mail as it travels, its headers and both bodies decoded, and whatever its long words hold in base64."""
    message = message_from_bytes(content, policy=policy.default)
    found = [content.decode("utf-8", "replace"), *(f"{name}: {value}" for name, value in message.items())]
    for part in message.walk():
        if part.get_content_maintype() == "text":
            body: str = part.get_content()
            found += [body, unquote(body)]
    for word in set(re.findall(r"[\w+/-]{12,}", "\n".join(found), re.ASCII)):
        try:
            clear = base64.urlsafe_b64decode(word.replace("+", "-").replace("/", "_") + "==")
        except ValueError:
            continue
        if clear.isascii():
            found.append(clear.decode())
    return found


def _bytes(message: EmailMessage) -> bytes:
    return message.as_bytes(policy=policy.SMTP)


@pytest.fixture(scope="module")
def resources() -> list[Resource]:
    told = story(TODAY)
    resources = [resource for family in told for resource in family.resources]
    return [*resources, *population(FAMILIES - len(told), today=TODAY)]


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, bytes]]:
    """Reader's address, language, and the mail as it travelled."""
    with running_demo(tmp_path_factory.mktemp("scan") / "demo", families=FAMILIES) as demo:
        tell_story(demo, stays=False, kept=True)
        received = [mail.message for mail in demo.mailbox.messages]
    return [
        (str(one["To"].addresses[0].addr_spec).lower(), str(one["Content-Language"]), _bytes(one)) for one in received
    ]


def test_no_mail_of_500_families_tells_of_the_family(
    mails: list[tuple[str, str, bytes]], resources: list[Resource]
) -> None:
    families = Families(resources)
    assert len({reader for reader, _, _ in mails}) > 400
    assert {language for _, language, _ in mails} == {"en", "es"}
    assert sum(reader in families for reader, _, _ in mails) > 400
    assert {reader: found for reader, _, mail in mails if (found := families.heard(reader, said(mail)))} == {}


def test_a_practices_own_words_tell_no_more(
    mails: list[tuple[str, str, bytes]], resources: list[Resource], tmp_path: Path
) -> None:
    (tmp_path / "texts.toml").write_text(TEXTS)
    head = Letterhead(
        name=PRACTICE.name,
        mail_from=PRACTICE.mail_from,
        phone=PRACTICE.phone,
        texts=load_texts(tmp_path / "texts.toml"),
    )
    families = Families(resources)
    for number, (reader, _, mail) in enumerate(mails):
        to = message_from_bytes(mail, policy=policy.default)["To"].addresses[0].display_name
        language = ("en", "es")[number % 2]
        message = welcome(Reader(email=reader, name=to, language=language), head)
        assert families.heard(reader, said(_bytes(message))) == set()


def test_a_scan_hears_what_a_mail_hides(mails: list[tuple[str, str, bytes]], resources: list[Resource]) -> None:
    families = Families(resources)
    reader, _, mail = next(one for one in mails if one[0] == "grace.okafor@mail.example")
    born = next(
        one["birthDate"]
        for one in resources
        if one["resourceType"] == "Patient" and one["name"][0]["family"] == "Okafor"
    )
    hidden = base64.urlsafe_b64encode(f"born {born} or so".encode()).rstrip(b"=")
    for secret in (born.encode(), hidden, base64.b64encode(born.encode()).rstrip(b"=")):
        assert families.heard(reader, said(mail + b"\r\n" + secret + b"\r\n")) or families.heard(
            reader, said(mail.replace(b"Message-ID:", b"X-Note: " + secret + b"\r\nMessage-ID:"))
        )
