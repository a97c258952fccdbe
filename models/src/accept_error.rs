//! Stand-in for the kinds of errors of the listening socket, which the counters need. The listening socket of
//! a model has no errors.

#[derive(Clone, Copy)]
#[allow(dead_code, reason = "the counters use all kinds as indices")]
pub(crate) enum AcceptErrorKind {
    Retry,
    BackOff,
    Fatal,
}

impl AcceptErrorKind {
    pub(crate) const COUNT: usize = 3;
}
