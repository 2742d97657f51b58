"""What an operator does: rabbitmqctl's commands, and definitions."""
