"""End-to-end encryption: what opens, and everything that must not."""
