"""Between pika's methods and ours, derived once from their fields: they are the same specification.

What the wire would do to a value still happens. Whatever is not plainly wire-safe takes pika's own way through
bytes and back, so that pika raises what pika raises and tables come back as pika reads them.
"""
