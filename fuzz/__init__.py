"""Fuzzers: whatever the bytes, what reads them gives a result or one line. `make fuzz`; see fuzz/run.py."""
