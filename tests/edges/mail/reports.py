"""Delivery reports as mail servers write them."""

from email.message import EmailMessage

OWN = "<report-1@mx.example>"


def report(
    to: str = "a1@mail.example",
    about: str = "<welcome.w1@portal.example>",
    status: str = "5.1.1",
    action: str = "failed",
    *,
    original: bool = True,
) -> bytes:
    """A report in the form of RFC 3464, with the head of the mail it is about."""
    original_part = (
        f"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: {about}\r\nTo: {to}\r\nSubject: Hi\r\n\r\nText\r\n"
    )
    return (
        "From: MAILER-DAEMON@mx.example\r\nTo: no-reply@portal.example\r\n"
        f"Message-ID: {OWN}\r\nSubject: Undelivered Mail\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nI'm sorry.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; {to}\r\nAction: {action}\r\n"
        f"Status: {status}\r\nDiagnostic-Code: smtp; 550 no such user\r\n\r\n"
        f"{original_part if original else ''}--b--\r\n"
    ).encode()


def complaint(to: str = "a1@mail.example", about: str = "<welcome.w1@portal.example>") -> bytes:
    """An abuse report in the form of RFC 5965."""
    return (
        "From: fbl@provider.example\r\nTo: abuse@portal.example\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n"
        f'Message-ID: {OWN}\r\nContent-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nThis is an abuse report.\r\n"
        "--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        f"Feedback-Type: abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\nOriginal-Rcpt-To: <{to}>\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {about}\r\n\r\n--b--\r\n"
    ).encode()


def vacation() -> bytes:
    """An ordinary answer that is no report."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a1@mail.example", "no-reply@portal.example", "Out of office"
    message["Message-ID"] = "<x@mail.example>"
    message["In-Reply-To"] = "<welcome.w1@portal.example>"
    message.set_content("I am away until Monday.")
    return message.as_bytes()
