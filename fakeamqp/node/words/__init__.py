"""Names, values and versions: what the node speaks of, without any state."""
