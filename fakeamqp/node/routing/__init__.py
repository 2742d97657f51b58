"""Exchanges: from a message to where its bindings lead."""
