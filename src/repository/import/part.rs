//! Parts of lists.

/// A part of a list.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Records to leave out at the beginning.
    pub offset: u64,
    /// Records at most.
    pub limit: u64,
}

impl Part {
    /// The rest of the part in a second list that stands behind a first one of this length.
    #[must_use]
    pub fn behind(self, length: u64) -> Self {
        let in_first = length.saturating_sub(self.offset).min(self.limit);
        Self { offset: self.offset.saturating_sub(length), limit: self.limit - in_first }
    }
}
