"""`/v1/notices`."""

from core.clock import rfc3339
from core.errors import Reason
from core.store import notices
from core.store.notices import NoticeKind
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client


def record(api: Api, account_id: str | None, text: str = "The receiver answered 410 Gone.") -> str:
    with api.store.write() as session:
        return notices.record(
            session,
            account_id=account_id,
            channel_id="ch_1",
            kind=NoticeKind.CHANNEL_DISABLED,
            reason=Reason.GONE,
            text=text,
            now=api.clock.now(),
        ).id


def listed(client: Client) -> list[str]:
    return [one["id"] for one in ok(client.get("/v1/notices"))["data"]]


def test_a_notice_shows_what_happened_and_whether_it_was_told(api: Api, client: Client) -> None:
    id_ = record(api, client.account_id)
    made_at = rfc3339(api.clock.now())
    shown = {
        "id": id_,
        "kind": "channel_disabled",
        "channel_id": "ch_1",
        "source_id": None,
        "reason": "gone",
        "text": "The receiver answered 410 Gone.",
        "created_at": made_at,
        "told_at": None,
        "tries": 0,
        "next_try_at": made_at,
        "problem": None,
    }
    assert ok(client.get("/v1/notices")) == {"data": [shown], "next_cursor": None}
    api.clock.advance(seconds=5)
    with api.store.write() as session:
        notices.mark_told(session, id_, api.clock.now())
    [told] = ok(client.get("/v1/notices"))["data"]
    assert told == shown | {"told_at": rfc3339(api.clock.now()), "tries": 1, "next_try_at": None}


def test_a_notice_that_nobody_was_told_of_says_so(api: Api, client: Client) -> None:
    id_ = record(api, client.account_id)
    with api.store.write() as session:
        notices.close(session, id_, "no contact is set")
    [shown] = ok(client.get("/v1/notices"))["data"]
    assert (shown["told_at"], shown["next_try_at"], shown["problem"]) == (None, None, "no contact is set")


def test_the_list_is_newest_first_a_page_at_a_time(api: Api, client: Client) -> None:
    ids = sorted((record(api, client.account_id) for _ in range(3)), reverse=True)
    first = ok(client.get("/v1/notices?limit=2"))
    rest = ok(client.get("/v1/notices", query_string={"cursor": first["next_cursor"]}))
    assert [one["id"] for one in first["data"] + rest["data"]] == ids
    assert rest["next_cursor"] is None
    problem(client.get("/v1/notices?limit=0"), 422, "limit")
    problem(client.get("/v1/notices?state=told"), 422, "state")


def test_each_account_sees_its_own_and_an_administrator_the_installations_too(
    api: Api, admin: Client, client: Client, other: Client
) -> None:
    mine, wide, default = (record(api, id_) for id_ in (client.account_id, None, admin.account_id))
    assert listed(client) == [mine]
    assert listed(other) == []
    assert sorted(listed(admin)) == sorted([wide, default])
    problem(api.anonymous().get("/v1/notices"), 401)
