"""End-to-end encryption: pure, no network, no storage. `sealing.Engine` is the seam that participants use."""
