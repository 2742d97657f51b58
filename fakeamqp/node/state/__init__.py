"""What a running node remembers."""
