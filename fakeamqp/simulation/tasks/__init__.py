"""Programs that take turns, and what they wait for."""
