"""RabbitMQ for tests: virtual hosts on a shared node, and nodes of one's own."""

import pika
import pytest
from pika.exceptions import AMQPError

from tests.servers import PrivateRabbit, free_port
from tests.servers.rabbit import broker_answers
from tests.servers.vhosts import CommandLine, ManagementApi, NoWayIn, Vhosts


def _publish(url: str, queue: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        channel.basic_publish("", queue, b"kept", pika.BasicProperties(delivery_mode=2), mandatory=True)


def _take(url: str, queue: str) -> bytes | None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        body: bytes | None = connection.channel().basic_get(queue, auto_ack=True)[2]
        return body


@pytest.mark.rabbitmq
def test_each_test_has_a_virtual_host_of_its_own(broker_url: str, fresh_broker_url: str) -> None:
    assert broker_url != fresh_broker_url
    _publish(fresh_broker_url, "here")
    assert _take(fresh_broker_url, "here") == b"kept"
    with pytest.raises(AMQPError):
        _take(broker_url, "here")


@pytest.mark.rabbitmq
def test_a_private_node_keeps_its_data_over_stop_and_crash(private_rabbit: PrivateRabbit) -> None:
    url = private_rabbit.add_vhost()
    _publish(url, "news")
    private_rabbit.settle()
    private_rabbit.kill()
    assert not broker_answers(url)
    private_rabbit.start()
    assert _take(url, "news") == b"kept"
    private_rabbit.stop()
    with pytest.raises(RuntimeError):
        _ = private_rabbit.pid


@pytest.mark.rabbitmq
def test_virtual_hosts_are_made_through_the_management_api() -> None:
    port = free_port()
    settings = [f"management.tcp.port = {port}", "management.tcp.ip = 127.0.0.1"]
    with PrivateRabbit(plugins=["rabbitmq_management"], settings=settings) as rabbit:
        vhosts = Vhosts(rabbit.url, ManagementApi(rabbit.url, port))
        url = vhosts.create()
        assert broker_answers(url)
        vhosts.close()
        assert not broker_answers(url)
        elsewhere = f"amqp://guest:guest@127.0.0.1:{free_port()}/%2F"
        with pytest.raises(NoWayIn, match="another broker"):
            Vhosts(elsewhere, CommandLine([str(rabbit.control)]))
        assert rabbit.rabbitmqctl("list_vhosts", "name", "--no-table-headers").split() == ["/"]
