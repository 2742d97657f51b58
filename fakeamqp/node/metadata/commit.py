"""The one door to what is true: facts come and go here, in memory, in the journal, and for whoever hears of events."""

from __future__ import annotations

from fakeamqp.node.metadata.apply import APPLY, RETRACT
from fakeamqp.node.metadata.survival import survives
from fakeamqp.node.observers import event_exchange
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.words.facts import Fact, key_of


def commit(state: NodeState, fact: Fact, by: str = event_exchange.OPERATOR) -> None:
    """A fact holds from now on: in memory, and in the journal if it survives. `by` is the user who wants it so."""
    before = state.journal.facts.get(key_of(fact))
    APPLY[type(fact)](state, fact)
    if survives(state.vhosts, fact):
        state.journal.put(fact)
    event_exchange.tell_of_commit(state, fact, before, by)


def retract(state: NodeState, fact: Fact, by: str = event_exchange.OPERATOR) -> None:
    """A fact holds no longer."""
    RETRACT[type(fact)](state, fact)
    state.journal.delete(fact)
    event_exchange.tell_of_retraction(state, fact, by)
