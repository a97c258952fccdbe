//! Forks do not occur in the models.

pub(crate) struct CloseOnFork<const N: usize>;
