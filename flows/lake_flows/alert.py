"""The flow `alert`: mails one message. Automations run it, wherever a worker is."""

import os
import smtplib
import ssl
from contextlib import suppress
from email import message_from_string, policy
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from prefect import flow
from prefect.runtime import flow_run

from lake.config import expand, literal_secrets, recorded
from lake.errors import InvalidConfig, LakeError
from lake_flows.step import step

_PATIENCE_S = 30


class NotMailed(LakeError, ConnectionError):
    """The mail server did not take a message. Safe to retry."""


class MailRefused(LakeError, ValueError):
    """The mail server refuses the login, an address or the message: a retry is no use."""


@flow(name="alert")
def alert(subject: str, text: str, to: list[str], sender: str, server: str) -> None:
    """Mail a message.

    Args:
        subject: one line; what is behind the first is left out.
        text: plain text.
        to: addresses.
        sender: the address that it comes from.
        server: `smtp://HOST:PORT`, encrypted where the server offers it, or `smtps://HOST`; with
            `USER:${NAME}@` before the host to log in, looked up where this runs.

    Raises:
        InvalidConfig: the password stands in `server` itself.
        NotMailed: the mail server is not there, or does not take the message now.
        MailRefused: it never will, or the addresses are none.
    """
    if any(literal_secrets({"server": server})):
        raise InvalidConfig("server holds a password, which Prefect now keeps: name it by ${NAME}")
    message = EmailMessage()
    message["Subject"] = (subject.splitlines() or ["lake"])[0]
    message["From"], message["To"] = sender, ", ".join(to)
    message.set_content(text)
    mail(str(flow_run.id), message.as_string(), server)


@step("mail")
def mail(run: str, message: str, server: str) -> None:
    """Hand one message to the mail server, once a run.

    Raises:
        NotMailed: it was not taken; worth another try.
        MailRefused: it was not taken by some or all, and never will be.
    """
    url = expand(server, os.environ)
    what, look = f"the mail server {recorded(url)} ", "look at [alerts] email in lake.toml"
    try:
        _send(url, message_from_string(message, policy=policy.default))
    except (OSError, smtplib.SMTPException) as exc:
        kind = MailRefused if _is_final(exc) else NotMailed
        raise kind(f"{what}did not take the message ({_said(exc)}): {look}") from None
    except ValueError as exc:
        raise MailRefused(f"{what}cannot be asked ({exc}): {look}") from None


def _send(url: str, message: EmailMessage) -> None:
    parts, context = urlsplit(url), ssl.create_default_context()
    host = parts.hostname or ""
    if parts.scheme == "smtps":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            host, parts.port or 465, timeout=_PATIENCE_S, context=context
        )
    else:
        connection = smtplib.SMTP(host, parts.port or 587, timeout=_PATIENCE_S)
    try:
        connection.ehlo_or_helo_if_needed()
        if parts.scheme == "smtp" and connection.has_extn("starttls"):
            connection.starttls(context=context)
        if parts.username and not isinstance(connection.sock, ssl.SSLSocket):
            raise smtplib.SMTPException("it offers no encryption, so it gets no password")
        if parts.username:
            connection.login(unquote(parts.username), unquote(parts.password or ""))
        refused = connection.send_message(message)
    finally:
        # What was taken stays taken, whatever the server says to a goodbye.
        with suppress(OSError, smtplib.SMTPException):
            connection.quit()
    if refused:
        raise smtplib.SMTPRecipientsRefused(refused)


def _is_final(error: Exception) -> bool:
    """Tell whether a mail server will say the same again."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return True  # also where others took it: they would get it twice
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= 500
    return type(error) is smtplib.SMTPException


def _said(error: Exception) -> str:
    """Return what went wrong without what was sent: a server may repeat a password."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"refused: {', '.join(error.recipients)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__} {error.smtp_code}"
    if type(error) is smtplib.SMTPException:
        return str(error)
    return getattr(error, "strerror", None) or type(error).__name__
