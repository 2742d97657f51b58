"""What names in methods mean."""

from __future__ import annotations

from fakeamqp.spec.errors import access_refused

NODE_NAME = "rabbit@localhost"
"""What the node and its cluster are called."""


def stripped(name: str) -> str:
    """A name without carriage returns and line feeds, as RabbitMQ reads it (rabbit_channel.erl, strip_cr_lf)."""
    return name.replace("\r", "").replace("\n", "") if "\n" in name or "\r" in name else name


def refuse_reserved(kind: str, name: str) -> None:
    """Raise 403 for a new queue or exchange whose name is RabbitMQ's own."""
    if name.startswith("amq."):
        raise access_refused(f"{kind} name '{name}' contains reserved prefix 'amq.*'")


def queue_named(name: str, vhost: str) -> str:
    """How RabbitMQ's texts name a queue."""
    return f"queue '{name}' in vhost '{vhost}'"


def exchange_named(name: str, vhost: str) -> str:
    """How RabbitMQ's texts name an exchange."""
    return f"exchange '{name}' in vhost '{vhost}'"
