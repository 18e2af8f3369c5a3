"""What the topology asks of the broker, checked without one."""

from dataclasses import dataclass, field
from typing import Any

from core.bus import topology


@dataclass
class RecordingChannel:
    """Keeps what was declared on it, in order."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def exchange_declare(self, **arguments: Any) -> None:
        self.calls.append(("exchange", arguments))

    def queue_declare(self, **arguments: Any) -> None:
        self.calls.append(("queue", arguments))

    def queue_bind(self, **arguments: Any) -> None:
        self.calls.append(("binding", arguments))


def declared() -> list[tuple[str, dict[str, Any]]]:
    channel = RecordingChannel()
    topology.declare(channel)
    return channel.calls


def test_everything_is_durable_and_bound_after_it_exists() -> None:
    calls = declared()
    assert all(arguments["durable"] for kind, arguments in calls if kind != "binding")
    assert [kind for kind, _ in calls] == ["exchange", "exchange", "queue", "queue", "binding"]
    assert calls[-1][1] == {"queue": "clarion.router", "exchange": "clarion.articles", "routing_key": ""}


def test_the_dead_queue_exists_before_the_queue_that_sends_to_it() -> None:
    names = [arguments["queue"] for kind, arguments in declared() if kind == "queue"]
    assert names.index("clarion.dead") < names.index(topology.ROUTER_QUEUE)
    assert topology.ROUTER_ARGUMENTS["x-dead-letter-routing-key"] == "clarion.dead"


def test_at_least_once_dead_lettering_has_the_overflow_that_it_needs() -> None:
    arguments = topology.ROUTER_ARGUMENTS
    assert arguments["x-dead-letter-strategy"] == "at-least-once"
    assert arguments["x-overflow"] == "reject-publish"
    assert arguments["x-queue-type"] == "quorum"


def test_what_rests_outlives_any_number_of_consumers() -> None:
    for arguments in (topology.DEAD_ARGUMENTS, topology.delayed_task_arguments("webhook.XQ")):
        assert arguments["x-delivery-limit"] == 10**9


def test_failed_tasks_are_bounded_in_number_and_time() -> None:
    arguments = topology.failed_task_arguments()
    assert arguments["x-max-length"] > 0
    assert arguments["x-message-ttl"] > 0


def test_no_queue_asks_for_what_quorum_queues_refuse() -> None:
    for arguments in (
        topology.DEAD_ARGUMENTS,
        topology.ROUTER_ARGUMENTS,
        topology.task_arguments("webhook.XQ"),
        topology.delayed_task_arguments("webhook.XQ"),
        topology.failed_task_arguments(),
    ):
        assert arguments["x-queue-type"] == "quorum"
        assert "x-max-priority" not in arguments
