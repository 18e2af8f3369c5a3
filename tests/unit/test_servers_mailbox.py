"""The mailbox keeps what it is sent, and refuses what it is told to refuse."""

import smtplib
from email.message import EmailMessage

import pytest

from tests.mailbox import DROP, Mailbox


def _message(subject: str = "News") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "clarion@example.org", "a@example.org", subject
    message.set_content("Käse\n")
    return message


def test_mails_are_kept_as_they_were_handed_over(mailbox: Mailbox) -> None:
    with smtplib.SMTP("127.0.0.1", mailbox.port) as client:
        client.sendmail("bounce@example.org", ["a@example.org", "b@example.org"], _message().as_bytes())
    (mail,) = mailbox.wait_for(1)
    assert (mail.sender, mail.recipients) == ("bounce@example.org", ("a@example.org", "b@example.org"))
    assert mail.message["Subject"] == "News"
    assert mail.message.get_content().rstrip() == "Käse"
    assert (mail.encrypted, mail.user) == (False, None)
    assert mailbox.mails_for("b@example.org") == [mail]
    assert mailbox.mails_for("c@example.org") == []


def test_scripted_answers_are_given_and_used_up(mailbox: Mailbox) -> None:
    mailbox.answer("RCPT", "550 5.1.1 No such user", recipient="gone@example.org")
    mailbox.answer("DATA", "451 4.3.0 Try again later", times=1)
    with smtplib.SMTP("127.0.0.1", mailbox.port) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="No such user"):
            client.send_message(_message(), to_addrs=["gone@example.org"])
        with pytest.raises(smtplib.SMTPDataError, match="Try again"):
            client.send_message(_message())
        client.send_message(_message("Again"))
    assert [mail.message["Subject"] for mail in mailbox.mails] == ["Again"]


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_the_connection_can_be_cut(mailbox: Mailbox, command: str) -> None:
    mailbox.answer(command, DROP, times=1)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        smtplib.SMTP("127.0.0.1", mailbox.port).send_message(_message())
    assert mailbox.mails == []


def test_it_comes_back_at_the_same_place(mailbox: Mailbox) -> None:
    mailbox.stop()
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP("127.0.0.1", mailbox.port)
    mailbox.start()
    with smtplib.SMTP("127.0.0.1", mailbox.port) as client:
        client.send_message(_message())
    with pytest.raises(AssertionError, match="1 of 2"):
        mailbox.wait_for(2, timeout=0.01)


def test_starttls_and_login(tls_mailbox: Mailbox) -> None:
    assert tls_mailbox.certificate
    with smtplib.SMTP("127.0.0.1", tls_mailbox.port) as client:
        client.starttls(context=tls_mailbox.certificate.client_context())
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("clarion", "wrong")
        client.login("clarion", "swordfish")
        client.send_message(_message())
    (mail,) = tls_mailbox.wait_for(1)
    assert (mail.encrypted, mail.user) == (True, "clarion")
