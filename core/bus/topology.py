"""Names and arguments of every exchange and queue on the broker."""

from typing import Any, Final

ARTICLES_EXCHANGE: Final = "clarion.articles"
ROUTER_QUEUE: Final = "clarion.router"
SUBSCRIPTIONS_EXCHANGE: Final = "clarion.subscriptions"
DEAD_QUEUE: Final = "clarion.dead"
REASON_HEADER: Final = "reason"
DETAIL_HEADER: Final = "detail"

TASK_KINDS: Final = ("webhook", "chat", "email")

DELIVERY_LIMIT: Final = 50
# RabbitMQ 4 gives quorum queues a limit of 20 unless told otherwise, and 3.10 reads -1 as none left.
LIFTED_DELIVERY_LIMIT: Final = 10**9

FAILED_TASK_TTL_MS: Final = 24 * 3_600 * 1_000
FAILED_TASKS_KEPT: Final = 10_000

Arguments = dict[str, Any]

DEAD_ARGUMENTS: Final[Arguments] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": LIFTED_DELIVERY_LIMIT,
}

# at-least-once asks for reject-publish: what cannot be dead-lettered stays, and then publishers must wait.
ROUTER_ARGUMENTS: Final[Arguments] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": DELIVERY_LIMIT,
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": DEAD_QUEUE,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


# One announcement says all that several would.
LISTENER_ARGUMENTS: Final[Arguments] = {"x-max-length": 1}


def declare(channel: Any) -> None:
    """Declare all exchanges, the queues and the binding for articles on a pika channel, blocking or not.

    A non-blocking channel sends them without waiting: the answer to any later call confirms them, and
    arguments that differ from what the broker has close the channel.
    """
    channel.exchange_declare(exchange=ARTICLES_EXCHANGE, exchange_type="fanout", durable=True)
    channel.exchange_declare(exchange=SUBSCRIPTIONS_EXCHANGE, exchange_type="fanout", durable=True)
    channel.queue_declare(queue=DEAD_QUEUE, durable=True, arguments=DEAD_ARGUMENTS)
    channel.queue_declare(queue=ROUTER_QUEUE, durable=True, arguments=ROUTER_ARGUMENTS)
    channel.queue_bind(queue=ROUTER_QUEUE, exchange=ARTICLES_EXCHANGE, routing_key="")


def task_arguments(failed_queue: str) -> Arguments:
    """Return the arguments of a task queue that passes rejected messages on to `failed_queue`."""
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": failed_queue,
    }


def delayed_task_arguments(failed_queue: str) -> Arguments:
    """Return the arguments of a queue of delayed tasks, whose messages outlive any number of consumers."""
    return {**task_arguments(failed_queue), "x-delivery-limit": LIFTED_DELIVERY_LIMIT}


def failed_task_arguments() -> Arguments:
    """Return the arguments of the queue where rejected tasks can be looked at for a day."""
    return {
        "x-queue-type": "quorum",
        "x-message-ttl": FAILED_TASK_TTL_MS,
        "x-max-length": FAILED_TASKS_KEPT,
        "x-overflow": "drop-head",
    }
