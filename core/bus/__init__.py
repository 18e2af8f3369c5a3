"""The broker: topology, and the RabbitMQ and in-process backends.

`backend.connect_bus` is the one place where a URL decides between them; everyone else receives `ports`.
"""
