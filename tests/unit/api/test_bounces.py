"""Reading what comes back: DSNs, and what providers say."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.bounces import Bounce, read_json, read_message

PATH = "bounces+token@example.com"


def dsn(status: str = "5.1.1", action: str = "failed", to: str = PATH) -> bytes:
    return f"""From: MAILER-DAEMON@mx.example.org
To: {to}
Subject: Undelivered Mail
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It did not work.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; reader@example.org
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 5.1.1 no such user

--b--
""".encode()


@pytest.mark.parametrize(
    ("status", "permanent"), [("5.1.1", True), ("5.2.2 (mailbox full)", True), ("4.4.1", False)]
)
def test_a_dsn_of_a_mail_that_failed(status: str, permanent: bool) -> None:
    (bounce,) = read_message(dsn(status))
    assert (bounce.return_paths, bounce.permanent) == ((PATH,), permanent)


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_a_dsn_of_a_mail_that_did_not_fail(action: str) -> None:
    assert read_message(dsn(action=action)) == []


def test_the_address_may_stand_in_what_the_last_server_noted() -> None:
    noted = b"Delivered-To: " + PATH.encode() + b"\n" + dsn(to="postmaster@example.com")
    (bounce,) = read_message(noted)
    assert PATH in bounce.return_paths


def test_a_mail_about_the_weather_is_no_bounce() -> None:
    assert read_message(b"To: bounces@example.com\nSubject: rain\n\nStatus: 5.1.1\nAction: failed\n") == []


@given(st.binary(max_size=2_000), st.integers(0, 700))
def test_broken_messages_are_read_as_far_as_they_go(noise: bytes, place: int) -> None:
    whole = dsn()
    for bounce in read_message(whole[:place] + noise + whole[place:]):
        assert bounce.status_class in "245"


SES: dict[str, Any] = {
    "notificationType": "Bounce",
    "bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "reader@example.org"}]},
    "mail": {"source": f"<{PATH}>"},
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"address": PATH, "status": "5.1.1"}, [Bounce((PATH,), "5")]),
        ({"address": f"<{PATH}>", "status": "4.2.0"}, [Bounce((PATH,), "4")]),
        ({"address": PATH, "status": "unknown"}, []),
        (SES, [Bounce((PATH,), "5")]),
        ({"Type": "Notification", "Message": json.dumps(SES)}, [Bounce((PATH,), "5")]),
        (SES | {"bounce": {"bounceType": "Transient"}}, [Bounce((PATH,), "4")]),
        ({"notificationType": "Delivery", "mail": {"source": PATH}}, []),
        ({"Message": "[]"}, []),
        ({"Message": json.dumps({"Message": "{}"})}, []),
    ],
)
def test_what_providers_say(value: dict[str, Any], expected: list[Bounce]) -> None:
    assert read_json(value) == expected


@pytest.mark.parametrize(
    "value", [{}, {"address": PATH}, {"address": 1, "status": "5.1.1"}, {"Message": "no JSON"}]
)
def test_other_forms_are_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        read_json(value)
