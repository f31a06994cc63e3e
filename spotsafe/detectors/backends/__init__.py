"""Detectors elsewhere: a spotsafe service, hosted moderation endpoints, guard models behind a chat."""
