"""Simulated provinces whose truth is known."""
