"""Alice's and Bob's phones on a page: a person types, and the observers get it as they get any conversation."""
