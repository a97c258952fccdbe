//! Which time a read or write of a request ran out of.

/// Which of its times a request ran out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeoutKind {
    /// A read, in the middle of a conversation.
    Read,
    /// A write: the client does not read.
    Write,
    /// The first read of a connection: the client has never sent anything.
    FirstByte,
    /// A read after an answer: the client has nothing more to ask.
    Idle,
    /// The request as a whole.
    Request,
}

impl TimeoutKind {
    pub(crate) const COUNT: usize = 5;
}
