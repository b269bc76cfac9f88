//! Names by a hash of them: a container's variables are asked for by every variable of the catalogue, and most are not there.
//! `fitting.rs` asks.

use smallvec::SmallVec;

const BUCKETS: usize = 64;

/// Which names are there, by their numbers: the first that was added is 0.
#[derive(Clone)]
pub(super) struct Names {
    /// Of each bucket, its last number.
    last: [Option<Number>; BUCKETS],
    /// Of each number, the one before it in its bucket.
    before: SmallVec<[Option<Number>; 32]>,
}

/// One more than a name's place, so that an `Option` takes no more.
type Number = std::num::NonZeroU32;

impl Names {
    pub(super) fn new() -> Self {
        Self { last: [None; BUCKETS], before: SmallVec::new() }
    }

    /// `None` takes a number and is never found.
    pub(super) fn add(&mut self, name: Option<&str>) {
        let number = u32::try_from(self.before.len() + 1).ok().and_then(Number::new);
        let before = name.and_then(|name| std::mem::replace(&mut self.last[bucket(name)], number));
        self.before.push(before);
    }

    /// The numbers of the names that may be this one, whatever its case, the last first.
    pub(super) fn like(&self, name: &str) -> impl Iterator<Item = usize> {
        let place = |number: Number| number.get() as usize - 1;
        std::iter::successors(self.last[bucket(name)], move |number| self.before[place(*number)]).map(place)
    }
}

/// The same for upper and lower case.
fn bucket(name: &str) -> usize {
    let bytes = name.as_bytes();
    let letter = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(byte & 0x1f));
    let (first, middle, last) = (letter(bytes.first()), letter(bytes.get(bytes.len() / 2)), letter(bytes.last()));
    (bytes.len() + 3 * first + 5 * middle + 7 * last) % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_their_numbers() {
        let mut names = Names::new();
        for name in [Some("A_B"), None, Some("B"), Some("a_b"), Some(""), Some("A_B"), Some("ä")] {
            names.add(name);
        }
        let like = |name: &str| names.like(name).collect::<Vec<_>>();
        assert_eq!(like("A_B"), [5, 3, 0]);
        assert_eq!(like("a_B"), [5, 3, 0]);
        assert!(like("B").contains(&2) && like("").contains(&4) && like("ä").contains(&6));
        assert_eq!(like("NOBODY"), Vec::<usize>::new());
    }
}
