//! Nobody forks here.

pub(crate) struct KeptPrivate<const N: usize>;
