"""The command line, installed as `minigan`."""
