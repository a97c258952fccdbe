//! There are descriptors enough.

#[derive(Default)]
pub(crate) struct Reserve(());

impl Reserve {
    pub(crate) fn is_awaited(&self) -> bool {
        false
    }
}
