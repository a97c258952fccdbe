//! How much the tests do: by default what a developer waits for, with `SOCKETSERVER_TESTS=all` everything.

/// Environment variable that `.ci/run` sets to `all`.
const TESTS: &str = "SOCKETSERVER_TESTS";

/// Returns `full` under `SOCKETSERVER_TESTS=all`, otherwise `small`.
pub(crate) fn scale<N>(small: N, full: N) -> N {
    if std::env::var_os(TESTS).is_some_and(|tests| tests == "all") {
        full
    } else {
        small
    }
}
