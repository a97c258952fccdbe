//! Stand-in for the registration of descriptors that child processes do not keep.

pub(crate) struct CloseOnFork<const N: usize>;
