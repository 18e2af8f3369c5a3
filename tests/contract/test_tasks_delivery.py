"""Delivery batches from the queue to the actors: the same over every broker."""

import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from core.bus.backend import connect_bus
from core.bus.ports import Bus
from core.bus.tasks import TaskWorker
from core.bus.topology import TASK_KINDS
from tests.contract.bus_running import WAIT_SECONDS, eventually, running, working

BATCH = "bat_1"


@pytest.fixture(params=["memory", pytest.param("rabbit", marks=pytest.mark.rabbitmq)])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    url = "memory:" if request.param == "memory" else request.getfixturevalue("fresh_broker_url")
    bus = connect_bus(url)
    yield bus
    bus.close()


def test_a_batch_of_every_kind_reaches_its_actor(bus: Bus) -> None:
    got: list[tuple[str, list[str]]] = []
    with working(bus, lambda batch, ids: got.append((batch, ids))):
        for kind in TASK_KINDS:
            bus.task_queue().enqueue(kind, BATCH, [f"{kind}-1", f"{kind}-2"])
        assert eventually(lambda: len(got) == len(TASK_KINDS))
    assert sorted(got) == sorted((BATCH, [f"{kind}-1", f"{kind}-2"]) for kind in TASK_KINDS)


def test_what_was_enqueued_before_any_worker_ran_is_delivered(bus: Bus) -> None:
    got: list[str] = []
    bus.task_queue().enqueue("chat", BATCH, ("d1",))
    with working(bus, lambda _batch, ids: got.extend(ids)):
        assert eventually(lambda: got == ["d1"])


def test_many_threads_that_come_and_go_enqueue_each_batch_once(bus: Bus) -> None:
    got: Counter[str] = Counter()
    lock = threading.Lock()

    def deliver(_batch: str, ids: list[str]) -> None:
        with lock:
            got.update(ids)

    tasks = bus.task_queue()
    names = [f"d{number}" for number in range(60)]
    with working(bus, deliver, threads=4, prefetch=4):
        threads = [threading.Thread(target=tasks.enqueue, args=("webhook", BATCH, [name])) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert eventually(lambda: got.total() >= len(names))
    assert got == Counter(names)


def test_what_an_actor_raises_drops_its_batch_and_no_other(bus: Bus) -> None:
    got: list[str] = []

    def deliver(_batch: str, ids: list[str]) -> None:
        got.extend(ids)
        if "bad" in ids:
            raise ZeroDivisionError

    with working(bus, deliver):
        for name in ("bad", "good"):
            bus.task_queue().enqueue("email", BATCH, [name])
        assert eventually(lambda: "good" in got)
    assert got == ["bad", "good"]


def test_kinds_do_not_wait_for_each_other(bus: Bus) -> None:
    go_on = threading.Event()
    got: list[str] = []

    def deliver(_batch: str, ids: list[str]) -> None:
        if ids == ["slow"]:
            assert go_on.wait(WAIT_SECONDS)
        got.extend(ids)

    with working(bus, deliver, threads=2):
        bus.task_queue().enqueue("webhook", BATCH, ["slow"])
        bus.task_queue().enqueue("email", BATCH, ["quick"])
        assert eventually(lambda: got == ["quick"])
        go_on.set()
        assert eventually(lambda: got == ["quick", "slow"])


def test_stopping_waits_for_what_runs_and_leaves_the_rest_for_the_next_worker(bus: Bus) -> None:
    got: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def deliver(_batch: str, ids: list[str]) -> None:
        if ids == ["d0"]:
            begun.set()
            assert go_on.wait(WAIT_SECONDS)
        got.extend(ids)

    names = [f"d{number}" for number in range(8)]
    for name in names:
        bus.task_queue().enqueue("webhook", BATCH, [name])
    with working(bus, deliver, threads=1, prefetch=4) as worker:
        assert begun.wait(WAIT_SECONDS)
        stopping = threading.Thread(target=worker.stop)
        stopping.start()
        go_on.set()
        stopping.join(WAIT_SECONDS)
        assert not stopping.is_alive()
    assert got[0] == "d0"
    assert len(got) < len(names), "nothing was left to give back"
    with running(TaskWorker(bus.task_broker, 1)):
        assert eventually(lambda: set(got) == set(names))
    assert sorted(got) == names


@pytest.mark.parametrize("kind", ["", "sms", "webhook.DQ"])
def test_an_unknown_kind_is_a_mistake_of_the_caller(bus: Bus, kind: str) -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        bus.task_queue().enqueue(kind, BATCH, ["d1"])


def test_delays_are_refused(bus: Bus) -> None:
    with working(bus, lambda _batch, _ids: None), pytest.raises(ValueError, match="due_at"):
        bus.task_broker.get_actor("deliver_webhook").send_with_options(args=(BATCH, []), delay=1_000)
