"""The broker: topology, and the RabbitMQ and in-process backends."""
