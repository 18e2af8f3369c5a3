"""What every kind of chat must do, over real sockets.

A kind is found by scanning; what its service answers stands in `chats/<kind>.json`. Each answer is a status
and a body (JSON or text); one that throttles also tells for how many seconds its body asks.
"""

import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import notifiers.channels
from core.egress import EgressPolicy, PushAnswer, Transfer
from core.errors import FieldError, Reason
from core.registry import discover
from notifiers.channels.base import ChannelKind
from notifiers.chat import ChatKind, ChatPusher
from notifiers.outcome import Outcome
from notifiers.rendering import template_environment
from tests.receiver import Answer, Close, Hang, Receiver, Reset, Respond, endless_body, redirect
from tests.servers import free_port
from tests.unit.notifiers.examples import NOON, notice

CHATS = Path(__file__).parent / "chats"
OPEN = EgressPolicy.from_setting("127.0.0.0/8")
TEMPLATES = template_environment()
ALL: dict[str, ChannelKind] = discover(notifiers.channels, "KIND")
KINDS = {name: kind for name, kind in ALL.items() if isinstance(kind, ChatKind)}


class Case(NamedTuple):
    """An answer of a service."""

    kind: str
    status: int
    body: bytes
    wait: float | None

    def answer(self, *headers: tuple[str, str]) -> Respond:
        """Return it as a receiver gives it."""
        return Respond(self.status, self.body, headers)


def service(kind: str) -> dict[str, Any]:
    """Return what is known of a kind's service."""
    known: dict[str, Any] = json.loads((CHATS / f"{kind}.json").read_text())
    return known


def cases(sort: str) -> list[Any]:
    """Return the answers of one sort, of all services."""
    made: list[Any] = []
    for kind in KINDS:
        for number, (status, body, *wait) in enumerate(service(kind)[sort]):
            content = body if isinstance(body, str) else json.dumps(body)
            case = Case(kind, status, content.encode(), wait[0] if wait else None)
            made.append(pytest.param(case, id=f"{kind}-{status}-{number}"))
    return made


def fields(kind: str, server: str) -> Any:
    given = json.dumps(service(kind)["fields"]).replace("{server}", server)
    return KINDS[kind].fields.model_validate_json(given)


def opened(kind: str, server: str) -> ChatPusher:
    return KINDS[kind].open(KINDS[kind].configure(fields(kind, server), OPEN))


class Service:
    """A receiver that answers a kind's message, wherever that goes, as a test wants."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def push(self, kind: str, *answers: Answer, policy: EgressPolicy = OPEN, seconds: float = 15) -> Outcome:
        """Push one article, and say how that ended."""
        pusher = opened(kind, self.receiver.url)
        made = notice()
        request = pusher.request(made.id, pusher.body(made, TEMPLATES), NOON)
        self.receiver.script(request.url.removeprefix(self.receiver.url).partition("?")[0], *answers)
        with closing(Transfer(policy, "Clarion test", total_seconds=seconds)) as transfer:
            answer: PushAnswer = transfer.perform(request)
        return pusher.outcome(answer, NOON)


@pytest.fixture
def chat(receiver: Receiver) -> Service:
    """A service of any kind."""
    return Service(receiver)


each_kind = pytest.mark.parametrize("kind", KINDS)


def test_there_are_kinds_and_each_has_a_service_described() -> None:
    assert len(KINDS) >= 7
    assert {path.stem for path in CHATS.glob("*.json")} == set(KINDS)


@pytest.mark.parametrize("case", cases("taken"))
def test_what_a_service_has_taken_is_delivered(chat: Service, case: Case) -> None:
    outcome = chat.push(case.kind, case.answer())
    assert (outcome.reason, outcome.permanent) == (None, False)
    (request,) = chat.receiver.requests
    assert (request.method, request.header("Content-Type")) == ("POST", "application/json")
    assert notice().article["title"] in request.body.decode()


@pytest.mark.parametrize("case", cases("not_taken"))
def test_2xx_with_a_body_that_is_not_ok_is_a_failure_that_is_tried_again(chat: Service, case: Case) -> None:
    outcome = chat.push(case.kind, case.answer())
    assert (outcome.reason, outcome.permanent, outcome.wait) == (Reason.PROTOCOL, False, None)
    assert outcome.said


@pytest.mark.parametrize("case", cases("gone"))
def test_what_will_never_take_anything_again_is_gone(chat: Service, case: Case) -> None:
    outcome = chat.push(case.kind, case.answer())
    assert (outcome.reason, outcome.status, outcome.permanent) == (Reason.GONE, case.status, True)
    assert outcome.said


@pytest.mark.parametrize("case", cases("refused"))
def test_what_is_refused_for_its_content_is_not_sent_again(chat: Service, case: Case) -> None:
    outcome = chat.push(case.kind, case.answer())
    assert (outcome.reason, outcome.permanent) == (Reason.STATUS_4XX, True)


@pytest.mark.parametrize("case", cases("retried"))
def test_other_failures_are_tried_again(chat: Service, case: Case) -> None:
    outcome = chat.push(case.kind, case.answer())
    assert outcome.reason in (Reason.STATUS_4XX, Reason.STATUS_5XX)
    assert (outcome.permanent, outcome.wait) == (False, None)


@pytest.mark.parametrize("case", cases("throttled"))
def test_a_service_that_asks_for_patience_gets_it(chat: Service, case: Case) -> None:
    outcome = chat.push(case.kind, case.answer())
    wait = None if case.wait is None else timedelta(seconds=case.wait)
    assert (outcome.reason, outcome.permanent, outcome.wait) == (Reason.THROTTLED, False, wait)


@each_kind
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(chat: Service, kind: str, status: int) -> None:
    outcome = chat.push(kind, Respond(status, headers=(("Retry-After", "7"),)))
    assert (outcome.reason, outcome.wait) == (Reason.THROTTLED, timedelta(seconds=7))


@each_kind
def test_a_410_is_gone(chat: Service, kind: str) -> None:
    assert chat.push(kind, Respond(410)).reason is Reason.GONE


@each_kind
@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_server_that_fails_is_tried_again(chat: Service, kind: str, status: int) -> None:
    outcome = chat.push(kind, Respond(status, b"oops"))
    assert (outcome.reason, outcome.permanent) == (Reason.STATUS_5XX, False)


@each_kind
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Reset(), Reason.RESET),
        (Close(), Reason.RESET),
        (redirect("/elsewhere"), Reason.STATUS_3XX),
        (endless_body(500), Reason.STATUS_5XX),
    ],
    ids=["reset", "closed", "redirect", "endless"],
)
def test_what_goes_wrong_on_the_way_is_tried_again(
    chat: Service, kind: str, answer: Answer, reason: Reason
) -> None:
    outcome = chat.push(kind, answer)
    assert (outcome.reason, outcome.permanent) == (reason, False)
    assert chat.receiver.requests_for("/elsewhere") == []


@each_kind
def test_a_service_that_hangs_is_given_up_in_time(chat: Service, kind: str) -> None:
    assert chat.push(kind, Hang(), seconds=0.3).reason is Reason.TIMEOUT


@each_kind
def test_nobody_listening(kind: str) -> None:
    pusher = opened(kind, f"http://127.0.0.1:{free_port()}")
    with closing(Transfer(OPEN, "Clarion test")) as transfer:
        answer = transfer.perform(pusher.request("m", b"{}", NOON))
    assert pusher.outcome(answer, NOON).reason is Reason.REFUSED


@each_kind
def test_nothing_inside_is_contacted(chat: Service, kind: str) -> None:
    assert chat.push(kind, Respond(), policy=EgressPolicy()).reason is Reason.BLOCKED
    assert chat.receiver.requests == []
    with pytest.raises(FieldError, match="not open to users' URLs"):
        KINDS[kind].configure(fields(kind, chat.receiver.url), EgressPolicy())


# --- secrets


def echo(kind: str, server: str) -> str:
    """Return everything secret, as a service might put it into an error."""
    pusher = opened(kind, server)
    request = pusher.request("m", b"{}", NOON)
    return f"cannot POST {request.url} with {request.headers} " + " ".join(service(kind)["secrets"])


def check_hidden(kind: str, shown: str) -> None:
    assert [secret for secret in service(kind)["secrets"] if secret in shown] == []


@each_kind
@pytest.mark.parametrize("status", [200, 400, 404, 429, 500])
@pytest.mark.parametrize("as_json", [True, False])
def test_no_outcome_holds_a_secret(chat: Service, kind: str, status: int, as_json: bool) -> None:
    words = echo(kind, chat.receiver.url)
    told = {"message": words, "error": words, "description": words, "ok": False}
    outcome = chat.push(kind, Respond(status, (json.dumps(told) if as_json else words).encode()))
    assert outcome.excerpt
    check_hidden(kind, repr(outcome))


@each_kind
def test_a_secret_that_is_cut_with_the_answer_is_hidden_too(chat: Service, kind: str) -> None:
    secret = max(service(kind)["secrets"], key=len)
    for kept in range(6, len(secret)):
        body = "x" * (4_096 - kept) + secret + "x" * 100
        outcome = chat.push(kind, Respond(500, body.encode()))
        assert not (outcome.excerpt or "").endswith(secret[:kept])


@each_kind
@pytest.mark.parametrize("answer", [Reset(), redirect("/elsewhere")], ids=["reset", "redirect"])
def test_no_failure_holds_a_secret(chat: Service, kind: str, answer: Answer) -> None:
    check_hidden(kind, repr(chat.push(kind, answer)))


@each_kind
def test_no_view_holds_a_secret(kind: str) -> None:
    config = KINDS[kind].configure(fields(kind, "https://127.0.0.1"), OPEN)
    view = KINDS[kind].view(config)
    check_hidden(kind, repr({**view, "url": ""}))
    longest = max(service(kind)["secrets"], key=len)
    assert longest not in repr(view)


@each_kind
def test_what_is_no_configuration_is_said_so(kind: str) -> None:
    with pytest.raises(ValueError, match="not the configuration"):
        KINDS[kind].open({})
