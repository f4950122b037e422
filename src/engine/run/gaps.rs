//! The ranges of staged ids that have no receipt.

use crate::repository::{Gap, StagedId};

/// The gaps between done ranges, in the order of the ids. The last one has no end.
pub(in crate::engine) fn gaps(mut done: Vec<(StagedId, StagedId)>) -> Vec<Gap> {
    done.sort_unstable();
    let mut gaps = Vec::new();
    let mut after: Option<StagedId> = None;
    for (first, last) in done {
        if after.as_ref().is_none_or(|after| *after < first) {
            gaps.push(Gap { after: after.clone(), before: Some(first) });
        }
        if after.as_ref().is_none_or(|after| *after < last) {
            after = Some(last);
        }
    }
    gaps.push(Gap { after, before: None });
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> StagedId {
        StagedId::from(text)
    }

    #[test]
    fn what_lies_between_done_ranges_is_left() {
        let done = vec![(id("m"), id("p")), (id("b"), id("d")), (id("c"), id("f"))];
        let gap = |after: Option<&str>, before: Option<&str>| Gap { after: after.map(id), before: before.map(id) };
        let expected = [gap(None, Some("b")), gap(Some("f"), Some("m")), gap(Some("p"), None)];
        assert_eq!(gaps(done), expected);
        assert_eq!(gaps(Vec::new()), [gap(None, None)]);
    }
}
