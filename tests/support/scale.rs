//! Amount of work of the tests: a few seconds by default, everything with `SOCKETSERVER_TESTS=all`.

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
