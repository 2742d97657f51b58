"""The world around one node: time, chance, the disk, the network."""
