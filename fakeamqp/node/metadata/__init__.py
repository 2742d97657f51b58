"""What exists: how it comes, what it depends on, what outlives the node, how it goes."""
