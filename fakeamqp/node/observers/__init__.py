"""Who is told of what happens: watchers, the firehose, the exchange of events."""
