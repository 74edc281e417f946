"""What attackers compute: for those who act, and with nothing in it that the lab's own participants use."""
