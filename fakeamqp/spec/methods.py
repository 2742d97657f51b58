"""AMQP 0-9-1's methods, with RabbitMQ's extensions, as values.

Field names, their order and the class and method numbers are the specification's (RabbitMQ's `amqp0-9-1.extended.xml`).
Reserved fields (`ticket` and the like) are left out: no server reads them. A content method carries its
properties and body. Treat every method as immutable.
"""

from __future__ import annotations

from typing import ClassVar

from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties
from fakeamqp.spec.records import Record
from fakeamqp.spec.tables import EMPTY_TABLE, Table

SHORT_STRING_MAX = 255
"""Octets that a short string may have, AMQP 0-9-1 section 4.2.5.3."""


class Method(Record):
    """One AMQP method. `INDEX` is (class id, method id), `NAME` the specification's "class.method"."""

    INDEX: ClassVar[tuple[int, int]] = (0, 0)
    NAME: ClassVar[str] = ""


class Heartbeat(Method):
    """A heartbeat frame, AMQP 0-9-1 section 4.2.7; not a method, but it travels among them."""

    NAME = "heartbeat"


class EndOfStream(Method):
    """The server has closed the stream; nothing comes after it."""

    NAME = "end of stream"


class Malformed(Method):
    """What the client sent cannot be read as a frame; `explanation` is RabbitMQ's."""

    NAME = "malformed"
    explanation: str = ""


class ConnectionStart(Method):
    INDEX = (10, 10)
    NAME = "connection.start"
    version_major: int = 0
    version_minor: int = 9
    server_properties: Table = EMPTY_TABLE
    mechanisms: bytes = b"PLAIN"
    locales: bytes = b"en_US"


class ConnectionStartOk(Method):
    INDEX = (10, 11)
    NAME = "connection.start-ok"
    client_properties: Table = EMPTY_TABLE
    mechanism: str = "PLAIN"
    response: bytes | Table = b""
    """A table for AMQPLAIN."""
    locale: str = "en_US"


class ConnectionSecure(Method):
    INDEX = (10, 20)
    NAME = "connection.secure"
    challenge: bytes = b""


class ConnectionSecureOk(Method):
    INDEX = (10, 21)
    NAME = "connection.secure-ok"
    response: bytes = b""


class ConnectionTune(Method):
    INDEX = (10, 30)
    NAME = "connection.tune"
    channel_max: int = 0
    frame_max: int = 0
    heartbeat: int = 0


class ConnectionTuneOk(Method):
    INDEX = (10, 31)
    NAME = "connection.tune-ok"
    channel_max: int = 0
    frame_max: int = 0
    heartbeat: int = 0


class ConnectionOpen(Method):
    INDEX = (10, 40)
    NAME = "connection.open"
    virtual_host: str = "/"


class ConnectionOpenOk(Method):
    INDEX = (10, 41)
    NAME = "connection.open-ok"


class ConnectionClose(Method):
    INDEX = (10, 50)
    NAME = "connection.close"
    reply_code: int = 200
    reply_text: str = ""
    class_id: int = 0
    method_id: int = 0


class ConnectionCloseOk(Method):
    INDEX = (10, 51)
    NAME = "connection.close-ok"


class ConnectionBlocked(Method):
    INDEX = (10, 60)
    NAME = "connection.blocked"
    reason: str = ""


class ConnectionUnblocked(Method):
    INDEX = (10, 61)
    NAME = "connection.unblocked"


class ConnectionUpdateSecret(Method):
    INDEX = (10, 70)
    NAME = "connection.update-secret"
    new_secret: str = ""
    reason: str = ""


class ConnectionUpdateSecretOk(Method):
    INDEX = (10, 71)
    NAME = "connection.update-secret-ok"


class ChannelOpen(Method):
    INDEX = (20, 10)
    NAME = "channel.open"


class ChannelOpenOk(Method):
    INDEX = (20, 11)
    NAME = "channel.open-ok"


class ChannelFlow(Method):
    INDEX = (20, 20)
    NAME = "channel.flow"
    active: bool = True


class ChannelFlowOk(Method):
    INDEX = (20, 21)
    NAME = "channel.flow-ok"
    active: bool = True


class ChannelClose(Method):
    INDEX = (20, 40)
    NAME = "channel.close"
    reply_code: int = 200
    reply_text: str = ""
    class_id: int = 0
    method_id: int = 0


class ChannelCloseOk(Method):
    INDEX = (20, 41)
    NAME = "channel.close-ok"


class AccessRequest(Method):
    INDEX = (30, 10)
    NAME = "access.request"
    realm: str = "/data"
    exclusive: bool = False
    passive: bool = True
    active: bool = True
    write: bool = True
    read: bool = True


class AccessRequestOk(Method):
    INDEX = (30, 11)
    NAME = "access.request-ok"
    ticket: int = 1


class ExchangeDeclare(Method):
    INDEX = (40, 10)
    NAME = "exchange.declare"
    exchange: str = ""
    type: str = "direct"
    passive: bool = False
    durable: bool = False
    auto_delete: bool = False
    internal: bool = False
    nowait: bool = False
    arguments: Table = EMPTY_TABLE


class ExchangeDeclareOk(Method):
    INDEX = (40, 11)
    NAME = "exchange.declare-ok"


class ExchangeDelete(Method):
    INDEX = (40, 20)
    NAME = "exchange.delete"
    exchange: str = ""
    if_unused: bool = False
    nowait: bool = False


class ExchangeDeleteOk(Method):
    INDEX = (40, 21)
    NAME = "exchange.delete-ok"


class ExchangeBind(Method):
    INDEX = (40, 30)
    NAME = "exchange.bind"
    destination: str = ""
    source: str = ""
    routing_key: str = ""
    nowait: bool = False
    arguments: Table = EMPTY_TABLE


class ExchangeBindOk(Method):
    INDEX = (40, 31)
    NAME = "exchange.bind-ok"


class ExchangeUnbind(Method):
    INDEX = (40, 40)
    NAME = "exchange.unbind"
    destination: str = ""
    source: str = ""
    routing_key: str = ""
    nowait: bool = False
    arguments: Table = EMPTY_TABLE


class ExchangeUnbindOk(Method):
    INDEX = (40, 51)
    NAME = "exchange.unbind-ok"


class QueueDeclare(Method):
    INDEX = (50, 10)
    NAME = "queue.declare"
    queue: str = ""
    passive: bool = False
    durable: bool = False
    exclusive: bool = False
    auto_delete: bool = False
    nowait: bool = False
    arguments: Table = EMPTY_TABLE


class QueueDeclareOk(Method):
    INDEX = (50, 11)
    NAME = "queue.declare-ok"
    queue: str = ""
    message_count: int = 0
    consumer_count: int = 0


class QueueBind(Method):
    INDEX = (50, 20)
    NAME = "queue.bind"
    queue: str = ""
    exchange: str = ""
    routing_key: str = ""
    nowait: bool = False
    arguments: Table = EMPTY_TABLE


class QueueBindOk(Method):
    INDEX = (50, 21)
    NAME = "queue.bind-ok"


class QueuePurge(Method):
    INDEX = (50, 30)
    NAME = "queue.purge"
    queue: str = ""
    nowait: bool = False


class QueuePurgeOk(Method):
    INDEX = (50, 31)
    NAME = "queue.purge-ok"
    message_count: int = 0


class QueueDelete(Method):
    INDEX = (50, 40)
    NAME = "queue.delete"
    queue: str = ""
    if_unused: bool = False
    if_empty: bool = False
    nowait: bool = False


class QueueDeleteOk(Method):
    INDEX = (50, 41)
    NAME = "queue.delete-ok"
    message_count: int = 0


class QueueUnbind(Method):
    INDEX = (50, 50)
    NAME = "queue.unbind"
    queue: str = ""
    exchange: str = ""
    routing_key: str = ""
    arguments: Table = EMPTY_TABLE


class QueueUnbindOk(Method):
    INDEX = (50, 51)
    NAME = "queue.unbind-ok"


class BasicQos(Method):
    INDEX = (60, 10)
    NAME = "basic.qos"
    prefetch_size: int = 0
    prefetch_count: int = 0
    global_qos: bool = False


class BasicQosOk(Method):
    INDEX = (60, 11)
    NAME = "basic.qos-ok"


class BasicConsume(Method):
    INDEX = (60, 20)
    NAME = "basic.consume"
    queue: str = ""
    consumer_tag: str = ""
    no_local: bool = False
    no_ack: bool = False
    exclusive: bool = False
    nowait: bool = False
    arguments: Table = EMPTY_TABLE


class BasicConsumeOk(Method):
    INDEX = (60, 21)
    NAME = "basic.consume-ok"
    consumer_tag: str = ""


class BasicCancel(Method):
    INDEX = (60, 30)
    NAME = "basic.cancel"
    consumer_tag: str = ""
    nowait: bool = False


class BasicCancelOk(Method):
    INDEX = (60, 31)
    NAME = "basic.cancel-ok"
    consumer_tag: str = ""


class BasicPublish(Method):
    INDEX = (60, 40)
    NAME = "basic.publish"
    exchange: str = ""
    routing_key: str = ""
    mandatory: bool = False
    immediate: bool = False
    properties: BasicProperties = EMPTY_PROPERTIES
    body: bytes = b""


class BasicReturn(Method):
    INDEX = (60, 50)
    NAME = "basic.return"
    reply_code: int = 0
    reply_text: str = ""
    exchange: str = ""
    routing_key: str = ""
    properties: BasicProperties = EMPTY_PROPERTIES
    body: bytes = b""


class BasicDeliver(Method):
    INDEX = (60, 60)
    NAME = "basic.deliver"
    consumer_tag: str = ""
    delivery_tag: int = 0
    redelivered: bool = False
    exchange: str = ""
    routing_key: str = ""
    properties: BasicProperties = EMPTY_PROPERTIES
    body: bytes = b""


class BasicGet(Method):
    INDEX = (60, 70)
    NAME = "basic.get"
    queue: str = ""
    no_ack: bool = False


class BasicGetOk(Method):
    INDEX = (60, 71)
    NAME = "basic.get-ok"
    delivery_tag: int = 0
    redelivered: bool = False
    exchange: str = ""
    routing_key: str = ""
    message_count: int = 0
    properties: BasicProperties = EMPTY_PROPERTIES
    body: bytes = b""


class BasicGetEmpty(Method):
    INDEX = (60, 72)
    NAME = "basic.get-empty"


class BasicAck(Method):
    INDEX = (60, 80)
    NAME = "basic.ack"
    delivery_tag: int = 0
    multiple: bool = False


class BasicReject(Method):
    INDEX = (60, 90)
    NAME = "basic.reject"
    delivery_tag: int = 0
    requeue: bool = True


class BasicRecoverAsync(Method):
    INDEX = (60, 100)
    NAME = "basic.recover-async"
    requeue: bool = False


class BasicRecover(Method):
    INDEX = (60, 110)
    NAME = "basic.recover"
    requeue: bool = False


class BasicRecoverOk(Method):
    INDEX = (60, 111)
    NAME = "basic.recover-ok"


class BasicNack(Method):
    INDEX = (60, 120)
    NAME = "basic.nack"
    delivery_tag: int = 0
    multiple: bool = False
    requeue: bool = True


class ConfirmSelect(Method):
    INDEX = (85, 10)
    NAME = "confirm.select"
    nowait: bool = False


class ConfirmSelectOk(Method):
    INDEX = (85, 11)
    NAME = "confirm.select-ok"


class TxSelect(Method):
    INDEX = (90, 10)
    NAME = "tx.select"


class TxSelectOk(Method):
    INDEX = (90, 11)
    NAME = "tx.select-ok"


class TxCommit(Method):
    INDEX = (90, 20)
    NAME = "tx.commit"


class TxCommitOk(Method):
    INDEX = (90, 21)
    NAME = "tx.commit-ok"


class TxRollback(Method):
    INDEX = (90, 30)
    NAME = "tx.rollback"


class TxRollbackOk(Method):
    INDEX = (90, 31)
    NAME = "tx.rollback-ok"


METHODS: dict[tuple[int, int], type[Method]] = {each.INDEX: each for each in Method.__subclasses__() if any(each.INDEX)}
"""Every method by (class id, method id)."""
