//! Sets of the people of a charter, as bits.

/// Most people in a charter: the place of a person fits one byte.
pub const PEOPLE_MAX: usize = 255;

/// The place of a person in the charter's list, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PersonIndex(pub u8);

/// A set of people of one charter.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PersonSet([u64; 4]);

impl PersonSet {
    fn place(person: PersonIndex) -> (usize, u64) {
        (usize::from(person.0) / 64, 1 << (person.0 % 64))
    }

    /// Says whether the person is in it.
    pub fn contains(&self, person: PersonIndex) -> bool {
        let (word, bit) = Self::place(person);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Puts a person in.
    pub fn insert(&mut self, person: PersonIndex) {
        let (word, bit) = Self::place(person);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Takes a person out.
    pub fn remove(&mut self, person: PersonIndex) {
        let (word, bit) = Self::place(person);
        if let Some(word) = self.0.get_mut(word) {
            *word &= !bit;
        }
    }

    fn zip(&self, other: &Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let mut result = *self;
        result.0.iter_mut().zip(other.0).for_each(|(word, other)| *word = combine(*word, other));
        result
    }

    /// Those in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    /// Those in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    /// Those in this one and not in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    /// The first of them.
    pub fn first(&self) -> Option<PersonIndex> {
        let mut start = 0;
        for word in self.0 {
            if word != 0 {
                return u8::try_from(start + word.trailing_zeros()).ok().map(PersonIndex);
            }
            start += 64;
        }
        None
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// Walks over them in the order of the charter's list.
    pub fn iter(&self) -> impl Iterator<Item = PersonIndex> {
        let mut rest = *self;
        std::iter::from_fn(move || {
            let person = rest.first()?;
            rest.remove(person);
            Some(person)
        })
    }
}

impl FromIterator<PersonIndex> for PersonSet {
    fn from_iter<I: IntoIterator<Item = PersonIndex>>(people: I) -> Self {
        let mut set = Self::default();
        people.into_iter().for_each(|person| set.insert(person));
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sets_are_as_those_of_the_library(a: BTreeSet<u8>, b: BTreeSet<u8>) {
            let set = |people: &BTreeSet<u8>| people.iter().copied().map(PersonIndex).collect::<PersonSet>();
            let back = |people: PersonSet| people.iter().map(|person| person.0).collect::<BTreeSet<u8>>();
            prop_assert_eq!(back(set(&a)), a.clone());
            prop_assert_eq!(back(set(&a).and(&set(&b))), &a & &b);
            prop_assert_eq!(back(set(&a).or(&set(&b))), &a | &b);
            prop_assert_eq!(back(set(&a).without(&set(&b))), &a - &b);
            prop_assert_eq!(set(&a).is_empty(), a.is_empty());
        }
    }
}
