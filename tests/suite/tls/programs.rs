//! Programs that people use as TLS clients.
