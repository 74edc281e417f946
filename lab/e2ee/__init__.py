"""End-to-end encryption: pure, no network, no storage. `engine.Engine` is the seam that participants use."""
