"""Runs the same faults against servers of CPython's socketserver and of this crate."""
