"""The stage of a run: taps, service, certificates, ports and files. `stage.py` is the place where they meet."""
