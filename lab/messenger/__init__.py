"""A participant: keys, device store, and HTTP to the message service. `participant.Participant` is the face."""
