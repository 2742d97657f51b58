"""Queues of every type: their messages, their consumers, whose turn it is."""
