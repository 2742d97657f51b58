"""One RabbitMQ node as a pure state machine: methods in, methods out, time as an argument.

No clock, no randomness, no I/O and no threads below this line; what must come from outside is passed in.
"""
