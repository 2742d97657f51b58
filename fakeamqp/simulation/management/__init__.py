"""What an operator does and asks, as with rabbitmqctl and the management interface."""
