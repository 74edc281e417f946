"""Each attack is seen to succeed where it can, and to fail where something stops it."""
