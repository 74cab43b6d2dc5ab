"""How mail leaves, and what each practice's mails say of the practice."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from adapter.errors import ConfigError
from adapter.jobs.letters import PracticeMail
from adapter.mail import Mailer, Sign
from adapter.mail.bounces import BounceBox
from adapter.mail.bounces.imap import ImapBox
from adapter.mail.bounces.maildir import MaildirBox
from adapter.mail.folder import FolderMailer
from adapter.mail.sender_dns import Record, SenderDns
from adapter.mail.signature import Signer, read_dkim_key
from adapter.mail.smtp import SmtpMailer
from adapter.mail.texts import load_texts
from adapter.settings import FolderMail, PracticeSettings, SmtpMail
from adapter.settings.bounces import BounceSettings
from adapter.settings.sections import LOOPBACK


def make_mailer(mail: FolderMail | SmtpMail, sign: Sign) -> Mailer:
    """A transport. Raises ConfigError when its password cannot be had."""
    if isinstance(mail, FolderMail):
        return FolderMailer(mail.path, sign=sign)
    password = mail.password
    return SmtpMailer(
        host=mail.host,
        port=mail.port,
        security=mail.security,
        username=mail.username,
        password=password.get_secret_value() if password else None,
        timeout=mail.timeout_seconds,
        connections=mail.connections,
        sign=sign,
    )


def make_signer(practices: Iterable[PracticeSettings]) -> Signer:
    """Signs each practice's mail. Raises ConfigError listing every key that cannot be used."""
    keys, faults = {}, []
    for practice in practices:
        if dkim := practice.mail.dkim:
            domain = dkim.domain or practice.mail_from.rpartition("@")[2]
            try:
                key = read_dkim_key(dkim.private_key_file, domain=domain.lower(), selector=dkim.selector)
                keys[practice.mail_from.lower()] = key
            except ConfigError as error:
                faults += error.faults
    if faults:
        raise ConfigError(faults)
    return Signer(keys)


def make_bounce_box(settings: BounceSettings) -> BounceBox | None:
    """The mailbox of delivery reports; None where there is none. Raises ConfigError when its password cannot be had."""
    if settings.maildir is not None:
        return MaildirBox(settings.maildir)
    if settings.imap_host is None or settings.imap_username is None:
        return None
    password = settings.imap_password
    return ImapBox(
        settings.imap_host,
        settings.imap_port,
        username=settings.imap_username,
        password=password.get_secret_value() if password else "",
        folder=settings.imap_folder,
        encrypted=settings.imap_security == "tls",
    )


def look_up_sender(practice: PracticeSettings, mail: FolderMail | SmtpMail) -> list[Record]:
    """What the DNS says of the practice's sender; nothing where mail goes nowhere."""
    if isinstance(mail, FolderMail) or (mail.host in LOOPBACK and not mail.nameservers):
        return []
    dkim = practice.mail.dkim
    domain = practice.mail_from.rpartition("@")[2].lower()
    signs_as = (dkim.domain or domain).lower() if dkim else ""
    return SenderDns(mail.nameservers).look(domain, selector=dkim.selector if dkim else "", signs_as=signs_as)


def letterhead(practice: PracticeSettings, mail: FolderMail | SmtpMail) -> PracticeMail:
    """What the practice's mails say of it, and how they leave. Raises ConfigError for texts that cannot be used."""
    return PracticeMail(
        id=practice.id,
        name=practice.name,
        language=practice.language,
        zone=ZoneInfo(practice.time_zone),
        mail_from=practice.mail_from,
        phone=practice.phone,
        registration_url=practice.portal.registration_url,
        link_hours=practice.policy.welcome_link_hours,
        texts=load_texts(practice.mail.texts) if practice.mail.texts else None,
        per_minute=practice.mail.per_minute,
        per_domain=0 if isinstance(mail, FolderMail) else mail.per_domain,
        resend_unknown_hours=practice.mail.resend_unknown_hours,
    )
