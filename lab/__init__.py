"""Who can read your messages? The lab answers with bytes: see README.md for the tour of this package."""
