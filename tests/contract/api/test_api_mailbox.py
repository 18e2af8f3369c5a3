"""The mailbox in the browser: for administrators, where there is one; what is in mails does nothing there."""

from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.services import EXTENSION
from notifiers.local_mailbox import LocalMailbox
from tests.contract.api.conftest import Api, Client

MAIL = (
    b"From: Clarion <news@example.com>\r\nTo: reader@example.org\r\nSubject: <b>News</b>\r\n"
    b"Date: Sun, 01 Mar 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nhello <i>there</i>\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<html><head></head><body><a href='https://example.com'>x</a></body></html>"
    b"\r\n--b--\r\n"
)


@pytest.fixture
def mailbox(api: Api, tmp_path: Path) -> LocalMailbox:
    """A mailbox with one mail, which the API shows."""
    made = LocalMailbox(tmp_path / "mailbox")
    made.send("news@example.com", "reader@example.org", MAIL)
    api.app = create_app(replace(api.app.extensions[EXTENSION], mailbox=made))
    return made


def look(api: Api, path: str, key: str | None, scheme: str = "Basic") -> Any:
    value = key if scheme == "Bearer" else b64encode(f"me:{key}".encode()).decode()
    headers = {"Authorization": f"{scheme} {value}"} if key is not None else {}
    return api.app.test_client().get(path, headers=headers)


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_an_administrator_reads_mails(api: Api, admin: Client, mailbox: LocalMailbox, scheme: str) -> None:
    (mail,) = mailbox.newest(1)
    listed = look(api, "/mailbox", admin.key, scheme)
    assert listed.status_code == 200
    assert "&lt;b&gt;News&lt;/b&gt;" in listed.text
    assert f'href="mailbox/{mail.id}"' in listed.text
    shown = look(api, f"/mailbox/{mail.id}", admin.key, scheme)
    assert "hello &lt;i&gt;there&lt;/i&gt;" in shown.text
    assert f'src="{mail.id}/html"' in shown.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in shown.text


def test_a_mails_html_runs_nothing_and_loads_nothing(api: Api, admin: Client, mailbox: LocalMailbox) -> None:
    (mail,) = mailbox.newest(1)
    answer = look(api, f"/mailbox/{mail.id}/html", admin.key)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-popups")
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy
    assert '<base target="_blank">' in answer.text


@pytest.mark.parametrize("path", ["/mailbox", "/mailbox/x", "/mailbox/x/html"])
def test_nobody_else_does(api: Api, client: Client, mailbox: LocalMailbox, path: str) -> None:
    for key in (None, "", "wrong", client.key):
        answer = look(api, path, key)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert "News" not in answer.text


def test_there_is_none_where_mail_is_sent(api: Api, admin: Client) -> None:
    assert look(api, "/mailbox", admin.key).status_code == 404


@pytest.mark.parametrize("mail_id", ["nothing", "..%2f..%2fsecret.key", ".."])
def test_only_mails_are_shown(api: Api, admin: Client, mailbox: LocalMailbox, mail_id: str) -> None:
    assert look(api, f"/mailbox/{mail_id}", admin.key).status_code in (404, 308)
