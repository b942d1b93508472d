"""What is measured side by side: whether verdicts are right, and how fast."""
