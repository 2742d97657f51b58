"""From a client's method to the function that answers it, by the state the session is in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakeamqp.node.metadata.lifecycle import end_connection
from fakeamqp.node.metadata.limits import assert_user_may_open_channel
from fakeamqp.node.sessions import (
    consuming,
    exchange_methods,
    handshake,
    publishing,
    queue_methods,
    settling,
    transactions,
)
from fakeamqp.node.state.connection import Channel, Connection, Phase
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.spec import methods
from fakeamqp.spec.errors import HardError, SoftError, channel_error, command_invalid
from fakeamqp.spec.methods import (
    ChannelClose,
    ChannelCloseOk,
    ChannelOpen,
    ConnectionClose,
    ConnectionCloseOk,
    EndOfStream,
    Heartbeat,
    Method,
)

CHANNEL_METHODS: dict[type[Method], Callable[[NodeState, Any, Any], None]] = {
    methods.Malformed: handshake.refuse_malformed,
    methods.AccessRequest: handshake.request_access,
    methods.ChannelOpen: handshake.reopen_channel,
    methods.ChannelFlow: handshake.flow,
    methods.ChannelClose: handshake.close_channel_by_client,
    methods.ExchangeDeclare: exchange_methods.declare,
    methods.ExchangeDelete: exchange_methods.delete,
    methods.ExchangeBind: exchange_methods.bind_exchange,
    methods.ExchangeUnbind: exchange_methods.unbind_exchange,
    methods.QueueDeclare: queue_methods.declare,
    methods.QueueBind: exchange_methods.bind_queue,
    methods.QueueUnbind: exchange_methods.unbind_queue,
    methods.QueuePurge: queue_methods.purge,
    methods.QueueDelete: queue_methods.delete,
    methods.BasicQos: consuming.qos,
    methods.BasicConsume: consuming.consume,
    methods.BasicCancel: consuming.cancel,
    methods.BasicPublish: publishing.publish,
    methods.BasicGet: consuming.get,
    methods.BasicAck: settling.ack,
    methods.BasicNack: settling.nack,
    methods.BasicReject: settling.reject,
    methods.BasicRecover: settling.recover,
    methods.BasicRecoverAsync: settling.recover_async,
    methods.ConfirmSelect: transactions.confirm_select,
    methods.TxSelect: transactions.select,
    methods.TxCommit: transactions.commit,
    methods.TxRollback: transactions.rollback,
}
"""What a client may say on an open channel."""

CONNECTION_METHODS: dict[tuple[Phase, type[Method]], Callable[[NodeState, Any, Any], None]] = {
    (Phase.STARTING, methods.ConnectionStartOk): handshake.start_ok,
    (Phase.TUNING, methods.ConnectionTuneOk): handshake.tune_ok,
    (Phase.OPENING, methods.ConnectionOpen): handshake.open_vhost,
    (Phase.RUNNING, methods.ConnectionClose): handshake.close,
    (Phase.RUNNING, methods.Malformed): handshake.refuse_malformed,
    (Phase.RUNNING, methods.ConnectionUpdateSecret): handshake.update_secret,
}
"""What a client may say on channel 0, and when."""


def dispatch(state: NodeState, connection: Connection, channel_number: int, method: Method) -> None:
    """Answer one method. This is the one place where errors become Close methods."""
    channel = connection.channels.get(channel_number)
    try:
        if channel is not None and not channel.is_closing:
            if channel.heard_us != state.now_us:
                channel.hear(state.now_us)
            handler = CHANNEL_METHODS.get(type(method))
            if handler is None:
                raise command_invalid("unimplemented method")
            if channel.is_committing and not isinstance(method, ChannelOpen | ChannelClose):
                raise channel_error("unexpected command while processing 'tx.commit'")
            handler(state, channel, method)
        else:
            _dispatch_elsewhere(state, connection, channel_number, method)
    except SoftError as error:
        assert channel is not None
        handshake.close_channel(state, channel, error, method)
    except HardError as error:
        handshake.close_connection(state, connection, error, method)


def _dispatch_elsewhere(state: NodeState, connection: Connection, channel_number: int, method: Method) -> None:
    if connection.phase is Phase.CLOSED or isinstance(method, Heartbeat):
        return
    if isinstance(method, EndOfStream):
        end_connection(state, connection)
    elif connection.phase is Phase.CLOSING:
        _dispatch_on_closing_connection(state, connection, method)
    elif channel_number == 0:
        _dispatch_on_channel_0(state, connection, method)
    elif connection.phase is not Phase.RUNNING:
        end_connection(state, connection)
    elif channel_number in connection.channels:
        _dispatch_on_closing_channel(state, connection.channels[channel_number], method)
    else:
        handshake.assert_room_for_channel(connection)
        assert_user_may_open_channel(state, connection)
        if not isinstance(method, ChannelOpen):
            raise channel_error("expected 'channel.open'")
        handshake.open_channel(state, connection, channel_number)


def _dispatch_on_channel_0(state: NodeState, connection: Connection, method: Method) -> None:
    handler = CONNECTION_METHODS.get((connection.phase, type(method)))
    if handler is not None:
        handler(state, connection, method)
    elif connection.phase in (Phase.OPENING, Phase.RUNNING):
        raise channel_error(f"unexpected method in connection state {connection.phase.value}")
    else:
        end_connection(state, connection)


def _dispatch_on_closing_connection(state: NodeState, connection: Connection, method: Method) -> None:
    # As on a closing channel: a close that crossed ours is answered, and close-ok is still waited for.
    if isinstance(method, ConnectionCloseOk):
        end_connection(state, connection)
    elif isinstance(method, ConnectionClose):
        connection.send(ConnectionCloseOk())


def _dispatch_on_closing_channel(state: NodeState, channel: Channel, method: Method) -> None:
    # Whatever the client sent before it read the close is discarded. Its own close, which crossed ours, is answered,
    # and the channel still ends with its close-ok (handle_method in rabbit_channel.erl; observed on 3.10.8, 4.0.5).
    if isinstance(method, ChannelCloseOk):
        del channel.connection.channels[channel.number]
    elif isinstance(method, ChannelClose):
        channel.send(ChannelCloseOk())
    elif isinstance(method, ChannelOpen):
        handshake.reopen_channel(state, channel, method)
