"""A RabbitMQ in memory and the world around it, put together of its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from fakeamqp.simulation.faults.fault_commands import FaultCommands
from fakeamqp.simulation.faults.fault_effects import Parts
from fakeamqp.simulation.management.listings import Listings
from fakeamqp.simulation.management.operating import Definitions, Operator
from fakeamqp.simulation.management.questions import Questions
from fakeamqp.simulation.task_commands import TaskCommands
from fakeamqp.simulation.tasks.waiting import Waiting
from fakeamqp.simulation.world import forking
from fakeamqp.simulation.world.chance import Chooser
from fakeamqp.simulation.world.custom_exchanges import RoutingFunction
from fakeamqp.simulation.world.life import Life
from fakeamqp.simulation.world.network import Network
from fakeamqp.simulation.world.world import World


class Simulation:
    """The parts of a broker: what `fakeamqp.Broker`, which tells the arguments, hands to clients and tools."""

    def __init__(
        self,
        *,
        version: str,
        seed: int,
        vhosts: Iterable[str],
        users: Mapping[str, str] | None,
        hosts: Iterable[str] | None,
        exchange_types: Mapping[str, RoutingFunction] | None,
        definitions: Definitions | None,
        sync_interval: float,
        trace_limit: int | None,
        max_steps: int,
        patch_time: bool,
        chooser: Chooser | None,
    ) -> None:
        self.world = World(
            version=version,
            seed=seed,
            chooser=chooser,
            exchange_types=exchange_types,
            sync_interval=sync_interval,
            trace_limit=trace_limit,
        )
        self.network = Network(self.world, hosts)
        self.life = Life(self.network)
        self.waiting = Waiting(self.network)
        self.tasks = TaskCommands(self.network, self.waiting, max_steps, patches_time=patch_time)
        self.operator = Operator(self.world)
        self.faults = FaultCommands(Parts(self.world, self.life, self.network, self.tasks, self.operator))
        self.network.interference = self.tasks.faults = self.faults
        self.listings = Listings(self.world)
        self.questions = Questions(self.world)
        forking.watch(self)
        self.operator.add_vhosts_and_users(vhosts, {} if users is None else users)
        if definitions is not None:
            self.operator.import_definitions(definitions)
        self.world.trace.clear()

    def sever(self, refuse: Callable[..., NoReturn], absent: Any) -> None:
        """See `forking`."""
        for stream in self.network.open_streams():
            stream.cut_off(absent)
        for part, method in (
            (self.network, "open_stream"),
            (self.world, "running_node"),
            (self.tasks, "needed_scheduler"),
        ):
            setattr(part, method, refuse)
