"""What has happened, and how things stand: the trace and snapshots."""
