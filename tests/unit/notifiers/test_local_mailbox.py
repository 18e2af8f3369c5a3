"""The mailbox of an installation without a mail server."""

from pathlib import Path

import pytest

from notifiers import local_mailbox
from notifiers.local_mailbox import LocalMailbox
from notifiers.mailer import mail_transport

MAIL = (
    b"From: Clarion <news@example.com>\r\nTo: reader@example.org\r\nSubject: %s\r\n"
    b"Date: Sun, 01 Mar 2026 12:00:00 +0000\r\n\r\nhello\r\n"
)


@pytest.fixture
def mailbox(tmp_path: Path) -> LocalMailbox:
    """An empty one."""
    opened = mail_transport(f"maildir://{tmp_path}/data%20folder/mailbox")
    assert isinstance(opened, LocalMailbox)
    return opened


def keep(mailbox: LocalMailbox, *subjects: str) -> None:
    for subject in subjects:
        mailbox.send("news@example.com", "reader@example.org", MAIL % subject.encode())


def test_what_is_sent_is_kept_and_read(mailbox: LocalMailbox, tmp_path: Path) -> None:
    mailbox.check()
    assert mailbox.newest(10) == []
    keep(mailbox, "one", "two", "three")
    newest = mailbox.newest(2)
    assert [mail.subject for mail in newest] == ["three", "two"]
    assert (newest[0].recipient, newest[0].text.strip(), newest[0].html) == (
        "reader@example.org",
        "hello",
        None,
    )
    assert newest[0].at.isoformat() == "2026-03-01T12:00:00+00:00"
    assert mailbox.find(newest[1].id) == newest[1]
    assert mailbox.find("../../etc/passwd") is None
    assert (tmp_path / "data folder" / "mailbox" / "new").is_dir()


def test_only_the_newest_are_kept(mailbox: LocalMailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_mailbox, "KEPT", 3)
    keep(mailbox, *"abcdefghijkl")
    assert [mail.subject for mail in mailbox.newest(10)] == ["l", "k", "j"]


def test_a_mail_that_others_put_there_is_no_obstacle(mailbox: LocalMailbox, tmp_path: Path) -> None:
    keep(mailbox, "ours")
    folder = tmp_path / "data folder" / "mailbox" / "new"
    (folder / "a strange name").write_bytes(b"Date: never\nSubject:\xff\n\n\xff")
    assert mailbox.newest(1)[0].subject == "ours"
    assert len(mailbox.newest(10)) == 2
