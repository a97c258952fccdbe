"""The same faults for the servers of CPython's socketserver and for those of this crate."""
