"""What all the rest of a node is built on: messages, the disk, timers."""
