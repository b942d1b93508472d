"""`settings.toml` as typed, frozen settings."""
