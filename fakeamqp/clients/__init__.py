"""Doors: ways for real clients to reach the broker. pika is imported here alone."""
