"""The embedded client: options, transport, caches, holds, life cycle, the process-wide registry."""
