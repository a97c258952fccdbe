//! There are no children, and no parent that they could ask.

#[derive(Clone, Copy)]
pub(crate) struct Home;

impl Home {
    pub(crate) fn here() -> Self {
        Self
    }

    pub(crate) fn generation(self) -> u64 {
        0
    }

    pub(crate) fn is_here(self) -> bool {
        true
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plea {
    pub(crate) server: u64,
    pub(crate) run: u64,
}

pub(crate) fn plead(_plea: Plea) {
    unreachable!("this is no child");
}
