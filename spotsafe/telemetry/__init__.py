"""What happened, without what was said: events, outbox, delivery, metrics, adoption."""
