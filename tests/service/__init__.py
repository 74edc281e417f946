"""The message service, through its interface and through the files it leaves."""
