"""Whom a notice goes to, and what may be shown of a target."""

import pytest

from core.store.models import Account, Channel, Notice
from core.store.notices import CONTACT_KINDS, DueNotice
from core.store.states import ChannelState
from notifiers.contacts import (
    NO_CONTACT,
    UNUSABLE_CONTACT,
    Recipient,
    ToAddress,
    ToChannel,
    ToNobody,
    masked,
    whom_to_tell,
)

FAILING = "https://hooks.example.com/secret"
OPERATOR = "operator@example.com"


def channel(id_: str = "ch_contact", **fields: str) -> Channel:
    known = {"account_id": "acc_1", "kind": "webhook", "state": ChannelState.ACTIVE}
    return Channel(id=id_, **known | fields)


def due(contact: str | None, contact_channel: Channel | None = None) -> DueNotice:
    account = Account(id="acc_1", name="readers", contact=contact)
    notice = Notice(id="ntc_1", account_id="acc_1", channel_id="ch_failing")
    return DueNotice(notice, account, channel("ch_failing"), contact_channel)


def chosen(one: DueNotice, installation: str | None = OPERATOR) -> Recipient:
    return whom_to_tell(one, FAILING, installation)


def test_the_accounts_address_comes_before_the_installations() -> None:
    assert chosen(due("owner@example.org")) == ToAddress("owner@example.org")


@pytest.mark.parametrize("kind", sorted(CONTACT_KINDS))
def test_the_accounts_channel_comes_before_the_installations_address(kind: str) -> None:
    contact = channel(kind=kind)
    assert chosen(due("ch_contact", contact)) == ToChannel(contact)


@pytest.mark.parametrize("installation", [OPERATOR, None])
@pytest.mark.parametrize(
    "contact_channel",
    [
        None,
        channel("ch_failing"),
        channel(state=ChannelState.PAUSED),
        channel(state=ChannelState.DISABLED),
        channel(state=ChannelState.UNVERIFIED, kind="email"),
        channel(account_id="acc_2"),
        channel(kind="inbox"),
    ],
    ids=["deleted", "the one itself", "paused", "disabled", "unverified", "another account's", "inbox"],
)
def test_a_channel_that_cannot_be_told_is_passed_over(
    contact_channel: Channel | None, installation: str | None
) -> None:
    one = due("ch_contact", contact_channel)
    fallback = ToAddress(installation) if installation else ToNobody(UNUSABLE_CONTACT)
    assert chosen(one, installation) == fallback


def test_an_address_that_its_own_channel_fails_to_reach_is_passed_over() -> None:
    one = due("owner@example.org")
    assert whom_to_tell(one, "owner@example.org", OPERATOR) == ToAddress(OPERATOR)
    assert whom_to_tell(one, "owner@example.org", None) == ToNobody(UNUSABLE_CONTACT)


def test_without_any_contact_nobody_is_told() -> None:
    assert chosen(due(None)) == ToAddress(OPERATOR)
    assert chosen(due(None), None) == ToNobody(NO_CONTACT)


def test_a_notice_of_no_account_is_the_installations() -> None:
    one = DueNotice(Notice(id="ntc_1"), None, channel(), None)
    assert chosen(one) == ToAddress(OPERATOR)
    assert chosen(one, None) == ToNobody(NO_CONTACT)


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("https://hooks.example.com/services/T0/secret?token=secret", "hooks.example.com"),
        ("http://127.0.0.1:9000/secret", "127.0.0.1"),
        ("https://[::1]/secret", "::1"),
        ("https://[secret", None),
        ("reader@example.org", "r…@example.org"),
        ("1234567:secret/42", None),
        ("https:/secret@example.org/x", None),
        ("secret", None),
    ],
)
def test_a_target_shows_no_secret(target: str, shown: str | None) -> None:
    assert masked(target) == shown
