"""Policies over scored data: what they would do, how two differ, and which threshold meets a target."""
