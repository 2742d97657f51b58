"""Class connection and class channel: how sessions begin and end, and where errors become Close methods."""

from __future__ import annotations

from typing import Any

from fakeamqp.node.metadata.lifecycle import end_channels, end_connection, end_session
from fakeamqp.node.metadata.limits import assert_room_for_connection
from fakeamqp.node.observers import event_exchange
from fakeamqp.node.sessions.sasl import MECHANISMS, login_and_password
from fakeamqp.node.state.connection import (
    CHANNEL_MAX,
    FRAME_MAX,
    FRAME_MIN_SIZE,
    HEARTBEAT_S,
    Channel,
    Connection,
    Phase,
)
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.words.facts import GlobalParameterFact
from fakeamqp.node.words.names import NODE_NAME
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import REPLY_NAMES, AMQPError, HardError, channel_error, not_allowed, not_implemented
from fakeamqp.spec.methods import (
    SHORT_STRING_MAX,
    AccessRequest,
    AccessRequestOk,
    ChannelClose,
    ChannelCloseOk,
    ChannelFlow,
    ChannelFlowOk,
    ChannelOpen,
    ChannelOpenOk,
    ConnectionClose,
    ConnectionCloseOk,
    ConnectionOpen,
    ConnectionOpenOk,
    ConnectionStart,
    ConnectionStartOk,
    ConnectionTune,
    ConnectionTuneOk,
    ConnectionUpdateSecret,
    ConnectionUpdateSecretOk,
    Heartbeat,
    Malformed,
    Method,
)

CAPABILITIES = (
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
)


def cluster_name(global_parameters: dict[str, GlobalParameterFact]) -> str:
    """What the cluster is called: as its node, unless imported definitions say otherwise."""
    parameter = global_parameters.get("cluster_name")
    return NODE_NAME if parameter is None else str(parameter.value)


def start(state: NodeState, connection: Connection) -> None:
    """The protocol header has arrived."""
    properties: dict[str, Any] = {
        "capabilities": dict.fromkeys(CAPABILITIES, True),
        "cluster_name": cluster_name(state.global_parameters),
        "copyright": "Copyright (c) 2007-2024 Broadcom Inc and/or its subsidiaries",
        "information": "Licensed under the MPL 2.0. Website: https://rabbitmq.com",
        "platform": f"Erlang/OTP {state.profile.erlang_version}",
        "product": "RabbitMQ",
        "version": state.profile.full_version,
    }
    connection.send(ConnectionStart(0, 9, properties, MECHANISMS[state.profile.version], b"en_US"))


def start_ok(state: NodeState, connection: Connection, method: ConnectionStartOk) -> None:
    """connection.start-ok: who are you?"""
    connection.client_properties = method.client_properties
    credentials = login_and_password(method.mechanism, method.response)
    if credentials is None or method.mechanism.encode() not in MECHANISMS[state.profile.version].split():
        end_connection(state, connection)
        return
    connection.mechanism = method.mechanism
    user, password = credentials
    if not state.access.authenticate(user, password):
        event_exchange.tell_of_login(state, connection, user, f"user '{user}' - invalid credentials")
        _refuse_login(state, connection, method.mechanism)
        return
    connection.user = user
    event_exchange.tell_of_login(state, connection, user)
    connection.phase = Phase.TUNING
    connection.send(ConnectionTune(CHANNEL_MAX, FRAME_MAX, HEARTBEAT_S))


def _refuse_login(state: NodeState, connection: Connection, mechanism: str) -> None:
    # A client that does not announce the capability learns nothing; its stream just ends.
    if not connection.can("authentication_failure_close"):
        end_connection(state, connection)
        return
    text = f"Login was refused using authentication mechanism {mechanism}. For details see the broker logfile."
    close_connection(state, connection, HardError(403, text), None)


def tune_ok(state: NodeState, connection: Connection, method: ConnectionTuneOk) -> None:
    """connection.tune-ok: a client may lower what was offered, and whoever raises it is dropped."""
    if not (1 <= method.channel_max <= CHANNEL_MAX and FRAME_MIN_SIZE <= method.frame_max <= FRAME_MAX):
        end_connection(state, connection)
        return
    connection.channel_max = method.channel_max
    connection.phase = Phase.OPENING
    if method.heartbeat:
        connection.heartbeat_us = method.heartbeat * 1_000_000
        _arm_heartbeat(state, connection, state.now_us)


def skip_heartbeats(state: NodeState, connection: Connection, until_us: int) -> None:
    """Both sides send their heartbeats until this time; of the node's, one stands for all."""
    connection.heard_us = max(connection.heard_us, until_us)
    timer = connection.timer
    if timer is not None and timer.at_us <= until_us:
        timer.cancel()
        _send_heartbeat(connection)
        _arm_heartbeat(state, connection, until_us)


def _send_heartbeat(connection: Connection) -> None:
    if not (connection.outbox and isinstance(connection.outbox[-1][1], Heartbeat)):
        connection.send(Heartbeat())  # nobody needs two in a row to learn that the server is alive


def _arm_heartbeat(state: NodeState, connection: Connection, from_us: int) -> None:
    # Sent every half of the timeout; after two timeouts of silence the client counts as dead.
    # Source: rabbit_heartbeat.erl.
    def beat() -> None:
        if state.now_us - connection.heard_us > 2 * connection.heartbeat_us:
            seconds = connection.heartbeat_us // 1_000_000
            state.tell_closing(connection, 0, f"missed heartbeats from client, timeout: {seconds}s")
            end_connection(state, connection)
            return
        _send_heartbeat(connection)
        _arm_heartbeat(state, connection, state.now_us)

    connection.timer = state.timers.at(from_us + connection.heartbeat_us // 2, beat, is_housekeeping=True)


def open_vhost(state: NodeState, connection: Connection, method: ConnectionOpen) -> None:
    """connection.open: into a virtual host."""
    name = method.virtual_host
    vhost = state.vhosts.get(name)
    if vhost is None:
        raise not_allowed(f"vhost {name} not found")
    assert_room_for_connection(state.access, state.connections, connection.user, vhost)
    if not state.access.may_enter(connection.user, name):
        raise not_allowed(f"access to vhost '{name}' refused for user '{connection.user}'")
    connection.vhost = vhost
    connection.phase = Phase.RUNNING
    connection.send(ConnectionOpenOk())
    event_exchange.tell_of_connection(state, connection)


def close(state: NodeState, connection: Connection, method: ConnectionClose) -> None:
    """connection.close by the client."""
    end_connection(state, connection, ConnectionCloseOk())


def update_secret(state: NodeState, connection: Connection, method: ConnectionUpdateSecret) -> None:
    """connection.update-secret: for credentials that expire; the internal ones do not, so nothing changes."""
    connection.send(ConnectionUpdateSecretOk())


def assert_room_for_channel(connection: Connection) -> None:
    """Raise 530 where a client has as many channels as were negotiated."""
    if len(connection.channels) >= connection.channel_max:
        raise HardError(
            530,
            f"number of channels opened ({len(connection.channels)}) has reached "
            f"the negotiated channel_max ({connection.channel_max})",
            names_method=False,
        )


def open_channel(state: NodeState, connection: Connection, number: int) -> None:
    """channel.open."""
    channel = connection.channels[number] = Channel(connection, number, state.now_us)
    channel.send(ChannelOpenOk())
    event_exchange.tell_of_channel(state, channel)


def reopen_channel(state: NodeState, channel: Channel, method: ChannelOpen) -> None:
    """channel.open on an open channel."""
    raise channel_error("second 'channel.open' seen")


def close_channel_by_client(state: NodeState, channel: Channel, method: ChannelClose) -> None:
    """channel.close by the client."""
    end_channels(state, [channel])
    del channel.connection.channels[channel.number]
    channel.send(ChannelCloseOk())


def request_access(state: NodeState, channel: Channel, method: AccessRequest) -> None:
    """access.request, of AMQP 0-9: everybody gets a ticket, and nobody ever looks at it."""
    channel.send(AccessRequestOk(1))


def refuse_malformed(state: NodeState, session: Channel | Connection, method: Malformed) -> None:
    """A frame that cannot be read."""
    raise HardError(501, method.explanation, names_method=False)


def flow(state: NodeState, channel: Channel, method: ChannelFlow) -> None:
    """channel.flow: RabbitMQ lets nobody stop it."""
    if not method.active:
        raise not_implemented("active=false")
    channel.send(ChannelFlowOk(True))


def close_channel(state: NodeState, channel: Channel, error: AMQPError, method: Method | None) -> None:
    """A soft error: the channel ends, and the client is told why."""
    text = _fitting(error.text, state.profile)
    if text is None:
        close_connection(state, channel.connection, HardError(541, "", names_method=False), method)
        return
    end_channels(state, [channel])
    channel.is_closing = True
    state.tell_closing(channel.connection, channel.number, f"{error.code} {text}")
    channel.send(ChannelClose(error.code, text, *_blamed(error, method)))


def close_connection(state: NodeState, connection: Connection, error: AMQPError, method: Method | None) -> None:
    """A hard error: every channel ends, and the client is told why. The stream ends once it has answered."""
    end_session(state, connection)
    connection.phase = Phase.CLOSING
    text = _fitting(error.text, state.profile) or REPLY_NAMES[541]
    state.tell_closing(connection, 0, f"{error.code} {text}")
    connection.send(ConnectionClose(error.code, text, *_blamed(error, method)))


def force_close(state: NodeState, connection: Connection, reason: str) -> None:
    """Close a connection by the operator's will."""
    if connection.is_running:
        close_connection(state, connection, HardError(320, reason), None)
    else:
        end_connection(state, connection)


def _fitting(text: str, profile: Profile) -> str | None:
    """A reply text cut to the 255 bytes that a short string holds; None where 4.0 fails to cut it (observed)."""
    encoded = text.encode()
    if len(encoded) <= SHORT_STRING_MAX:
        return text
    if not text.isascii() and not profile.cuts_any_reply_text:
        return None
    return encoded[: SHORT_STRING_MAX - 3].decode("utf-8", "ignore") + "..."


def _blamed(error: AMQPError, method: Method | None) -> tuple[int, int]:
    return method.INDEX if method is not None and error.names_method else (0, 0)
