"""Word to people: webhook, e-mail, syslog. One that fails is told, and keeps nobody waiting for long."""

from __future__ import annotations

import http.client
import json
import logging
import logging.handlers
import smtplib
import urllib.error
import urllib.request
from email.message import EmailMessage
from typing import TYPE_CHECKING

from memcon.errors import UsageError
from memcon.verify import bounded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memcon.witness.settings import Notify

SECONDS = 10


class _Syslog(logging.handlers.SysLogHandler):
    """Raises what goes wrong, instead of printing it."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise


class Notifier:
    """Sends one event everywhere that is configured; `send` gives what went wrong, in words."""

    def __init__(self, where: Notify, name: str = "memcon-witness") -> None:
        """`name`: whose word it is. Raises UsageError for a webhook that is no http or https address."""
        if where.webhook and not where.webhook.startswith(("http://", "https://")):
            raise UsageError(f"[notify] webhook: {where.webhook!r} is no http or https address")
        self._where = where
        self._name = name

    def send(self, subject: str, event: Mapping[str, object]) -> list[str]:
        """`event` is a JSON object; its `text` is what people read."""
        problems = []
        for name, wanted, work in (
            ("webhook", self._where.webhook, self._webhook),
            ("email", self._where.email, self._email),
            ("syslog", self._where.syslog, self._syslog),
        ):
            if not wanted:
                continue
            try:
                work(subject, event)
            except (OSError, http.client.HTTPException, smtplib.SMTPException, ValueError) as error:
                problems.append(f"[notify] {name}: {error}")
        return problems

    def _webhook(self, _subject: str, event: Mapping[str, object]) -> None:
        body = json.dumps(event).encode()
        headers = {"Content-Type": "application/json", "User-Agent": self._name}
        request = urllib.request.Request(self._where.webhook, body, headers)  # noqa: S310 checked above
        bounded.opener().open(request, timeout=SECONDS).close()

    def _email(self, subject: str, event: Mapping[str, object]) -> None:
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = subject, self._where.sender, self._where.email
        message.set_content(f"{event['text']}\n\n{json.dumps(event, indent=2)}\n")
        host, _, port = self._where.smtp.rpartition(":")
        with smtplib.SMTP(host or self._where.smtp, int(port) if host else 25, timeout=SECONDS) as server:
            server.send_message(message)

    def _syslog(self, _subject: str, event: Mapping[str, object]) -> None:
        """To `ADDRESS:PORT` over UDP, or to a local socket's path such as /dev/log."""
        to = self._where.syslog
        host, _, port = to.rpartition(":")
        handler = _Syslog(to if to.startswith("/") else (host, int(port)))
        try:
            handler.ident = f"{self._name}: "
            record = logging.LogRecord("memcon", logging.WARNING, "", 0, str(event["text"]), None, None)
            handler.emit(record)
        finally:
            handler.close()
