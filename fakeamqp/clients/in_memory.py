"""pika's connection classes in memory: everything below them replaced, nothing of them re-implemented.

An in-memory class is made of `InMemoryConnection` and the pika class it stands for, so that it is an instance of
that one and of any class of the user's that derives from it.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pika.adapters.base_connection import BaseConnection, _StreamingProtocolShim
from pika.adapters.utils import connection_workflow
from pika.adapters.utils.nbio_interface import AbstractIOReference, AbstractIOServices
from pika.channel import Channel

from fakeamqp.clients.callbacks import quicken
from fakeamqp.clients.drivers import driver_for
from fakeamqp.clients.translation.classes import FRAME_OVERHEAD
from fakeamqp.clients.translation.inbound import NO_PROPERTIES, content_in, method_in
from fakeamqp.clients.transport import Transport
from fakeamqp.spec.errors import FakeamqpError

if TYPE_CHECKING:
    from fakeamqp.simulation.simulation import Simulation
    from fakeamqp.simulation.world.network import Stream


class _Connector(connection_workflow.AMQPConnector):
    """pika's connector, but that it opens a stream to the broker where that one opens a socket."""

    def __init__(self, simulation: Simulation, connection_factory: Callable[[Any], Any], nbio: Any) -> None:
        super().__init__(connection_factory, nbio)
        self._simulation = simulation

    def start(self, addr_record: Any, conn_params: Any, on_done: Callable[[Any], None]) -> None:
        """Connect to whatever address: it is always this broker that answers."""
        self._state = self._STATE_TCP
        self._addr_record = addr_record
        self._conn_params = conn_params
        self._on_done = on_done
        if conn_params.stack_timeout is not None:
            self._stack_timeout_ref = self._nbio.call_later(conn_params.stack_timeout, self._on_overall_timeout)
        self._nbio.add_callback_threadsafe(self._connect)

    def _connect(self) -> None:
        factory = functools.partial(self._conn_factory, self._conn_params)
        try:
            stream = self._simulation.network.open_stream((self._conn_params.host, self._conn_params.port))
        except ConnectionRefusedError as error:
            self._on_tcp_connection_done(error)
            return
        self._state = self._STATE_TRANSPORT
        try:
            transport = connected_transport(self._simulation, stream, factory)
        except FakeamqpError:
            raise
        except Exception as error:  # the class of the user's: this attempt has failed, as in pika's own connector
            self._on_transport_establishment_done(error)
            return
        self._on_transport_establishment_done((transport, transport.get_protocol()))


def connected_transport(simulation: Simulation, stream: Stream, protocol_factory: Callable[[], Any]) -> Transport:
    """Put a new pika connection onto a stream. Raises what its constructor raises; then the stream is closed."""
    try:
        protocol = protocol_factory()
    except BaseException:
        stream.close()
        raise
    connection = protocol.conn
    transport = Transport(connection, protocol, stream, driver_for(connection._nbio, simulation))
    protocol.connection_made(transport)
    return transport


class _Resolved(AbstractIOReference):
    """Nothing to cancel: names resolve at once."""

    def cancel(self) -> bool:
        """Too late."""
        return False


class NameServices(AbstractIOServices):
    """Mixin for pika's I/O services: every name resolves, without asking anybody."""

    def getaddrinfo(self, host: str, port: int, on_done: Callable[[Any], None], **_: Any) -> AbstractIOReference:
        """One address, whatever the name."""
        record = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))
        self.add_callback_threadsafe(functools.partial(on_done, [record]))
        return _Resolved()


class InMemoryChannel(Channel):
    """pika's channel, but that the consumer tags it invents come from the broker's seed."""

    def basic_publish(
        self, exchange: str, routing_key: str, body: Any, properties: Any = None, mandatory: bool = False
    ) -> None:
        """pika's own, with properties that are known to be none where none are given: it would make some each time."""
        super().basic_publish(exchange, routing_key, body, properties or NO_PROPERTIES, mandatory)

    def _generate_consumer_tag(self) -> str:
        return f"ctag{self.channel_number}.{self.connection.simulation.world.chooser.choose('pika', 2**128):032x}"


class InMemoryConnection(BaseConnection):
    """Mixin over a pika connection class; `simulation` is set before anything else is."""

    simulation: Simulation
    _nbio: Any

    def _init_connection_state(self) -> None:
        quicken(self.callbacks)
        super()._init_connection_state()

    # -- instead of marshalling ---------------------------------------------------------------------------------

    def _send_method(self, channel_number: int, method: Any, content: Any = None) -> None:
        transport = self._transport
        if transport is None or (not content and self.is_closed):
            super()._send_method(channel_number, method, content)  # raises, in pika's words
        elif content:
            properties, body = content
            length = len(body)
            transport.send(channel_number, content_in(method, properties, body, self.params))
            self.bytes_sent += FRAME_OVERHEAD + length
            self.frames_sent += 1
        else:
            transport.send(channel_number, method_in(method, self.params))
            self.bytes_sent += FRAME_OVERHEAD
            self.frames_sent += 1

    def _send_frame(self, frame_value: Any) -> None:
        if self.is_closed or self._transport is None:
            super()._send_frame(frame_value)  # raises, in pika's words
        self._transport.send_frame(frame_value)
        self.bytes_sent += FRAME_OVERHEAD
        self.frames_sent += 1

    def count_received(self, octets: int) -> None:
        """Something has arrived; pika's heartbeats watch this."""
        self.bytes_received += octets

    def _create_channel(self, channel_number: int, on_open_callback: Any) -> Channel:
        return InMemoryChannel(self, channel_number, on_open_callback)

    def _get_write_buffer_size(self) -> int:
        return 0

    # -- instead of sockets -------------------------------------------------------------------------------------

    def _adapter_connect_stream(self) -> None:
        self._connection_workflow = connection_workflow.AMQPConnectionWorkflow(_until_first_amqp_attempt=True)
        self._connection_workflow.set_io_services(self._nbio)
        self._connection_workflow.start(
            [self.params],
            connector_factory=lambda: _Connector(
                self.simulation, lambda _parameters: _StreamingProtocolShim(self), self._nbio
            ),
            native_loop=self._nbio.get_native_ioloop(),
            on_done=functools.partial(self._unshim_connection_workflow_callback, self._on_connection_workflow_done),
        )


def start_connection_workflow(
    simulation: Simulation,
    connection_configs: Sequence[Any],
    connection_factory: Callable[[Any], Any],
    nbio: Any,
    workflow: Any,
    on_done: Callable[[Any], None],
) -> Any:
    """What `BaseConnection._start_connection_workflow` does, but that it leads to the broker."""
    if workflow is None:
        workflow = connection_workflow.AMQPConnectionWorkflow()
    if isinstance(workflow, connection_workflow.AMQPConnectionWorkflow):
        workflow.set_io_services(nbio)

    def make_connector() -> _Connector:
        return _Connector(simulation, lambda parameters: _StreamingProtocolShim(connection_factory(parameters)), nbio)

    workflow.start(
        connection_configs=connection_configs,
        connector_factory=make_connector,
        native_loop=nbio.get_native_ioloop(),
        on_done=functools.partial(BaseConnection._unshim_connection_workflow_callback, on_done),
    )
    return workflow
