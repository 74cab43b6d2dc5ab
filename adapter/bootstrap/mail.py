"""How mail leaves, and what each practice's mails say of the practice."""

from zoneinfo import ZoneInfo

from adapter.jobs.letters import PracticeMail
from adapter.mail import Mailer
from adapter.mail.folder import FolderMailer
from adapter.mail.smtp import SmtpMailer
from adapter.settings import FolderMail, PracticeSettings, SmtpMail


def make_mailer(mail: FolderMail | SmtpMail) -> Mailer:
    """A transport. Raises ConfigError when its password cannot be had."""
    if isinstance(mail, FolderMail):
        return FolderMailer(mail.path)
    password = mail.password
    return SmtpMailer(
        host=mail.host,
        port=mail.port,
        security=mail.security,
        username=mail.username,
        password=password.get_secret_value() if password else None,
        timeout=mail.timeout_seconds,
        connections=mail.connections,
    )


def letterhead(practice: PracticeSettings, mail: FolderMail | SmtpMail) -> PracticeMail:
    """What the practice's mails say of it, and how they leave."""
    return PracticeMail(
        id=practice.id,
        name=practice.name,
        language=practice.language,
        zone=ZoneInfo(practice.time_zone),
        mail_from=practice.mail_from,
        phone=practice.phone,
        registration_url=practice.portal.registration_url,
        link_hours=practice.policy.welcome_link_hours,
        per_minute=practice.mail.per_minute,
        per_domain=0 if isinstance(mail, FolderMail) else mail.per_domain,
        resend_unknown_hours=practice.mail.resend_unknown_hours,
    )
