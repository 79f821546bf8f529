//! Rules over response wrapping: whether an answer must be wrapped, and for how long.

use crate::time::Span;

/// What a rule says of the time to live of a wrapped answer. Either bound makes wrapping a duty.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct WrappingBounds {
    least: Option<Span>,
    most: Option<Span>,
}

impl WrappingBounds {
    /// Makes bounds; zero is none, as in Vault.
    pub(super) fn new(least: Span, most: Span) -> Self {
        let set = |span: Span| Some(span).filter(|span| !span.is_zero());
        Self { least: set(least), most: set(most) }
    }

    /// Joins the bounds that several policies have for one pattern: of each bound the lowest that is set, as Vault
    /// documents it. Bounds that then exclude each other let nothing pass.
    pub(super) fn join(&mut self, other: Self) {
        self.least = self.least.into_iter().chain(other.least).min();
        self.most = self.most.into_iter().chain(other.most).min();
    }

    /// Tells whether a request passes that asks for wrapping for `given`; none and zero ask for no wrapping.
    pub(super) fn pass(self, given: Option<Span>) -> bool {
        match given.filter(|span| !span.is_zero()) {
            None => self == Self::default(),
            Some(given) => self.least.is_none_or(|least| given >= least) && self.most.is_none_or(|most| given <= most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(least: u64, most: u64) -> WrappingBounds {
        WrappingBounds::new(Span(least), Span(most))
    }

    #[test]
    fn either_bound_makes_wrapping_a_duty() {
        assert!(bounds(0, 0).pass(None) && bounds(0, 0).pass(Some(Span(7))));
        for bounds in [bounds(1, 0), bounds(0, 100), bounds(1, 100)] {
            assert!(!bounds.pass(None) && !bounds.pass(Some(Span::ZERO)) && bounds.pass(Some(Span(50))), "{bounds:?}");
        }
        let both = bounds(10, 20);
        assert!(both.pass(Some(Span(10))) && both.pass(Some(Span(20))));
        assert!(!both.pass(Some(Span(9))) && !both.pass(Some(Span(21))));
    }

    #[test]
    fn the_lowest_of_each_bound_stands() {
        let mut joined = bounds(10, 0);
        joined.join(bounds(5, 60));
        joined.join(bounds(0, 30));
        assert_eq!(joined, bounds(5, 30));
        joined.join(bounds(0, 2));
        assert!((0..100).all(|seconds| !joined.pass(Some(Span(seconds)))), "the bounds exclude each other");
    }
}
