"""What happens next, decided without I/O: cache, service, retry, breaker, ladder; two thin drivers."""
