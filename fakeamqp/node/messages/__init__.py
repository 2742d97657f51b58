"""A message's way: published, arriving, dead-lettered, late."""
