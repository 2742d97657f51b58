"""AMQP 0-9-1's words as values: methods, properties, field tables, reply codes and errors. No bytes."""
