//! Names by a hash of them: a container's variables are asked for by every variable of the catalogue, and most are not there.
//! `fitting.rs` asks.

use std::{iter, mem, num::NonZeroU32};

use smallvec::SmallVec;

const BUCKETS: usize = 64;

/// Which names are there, by their indexes: the first that was added is 0.
#[derive(Clone)]
pub(super) struct Names {
    /// Of each bucket, its last name.
    last: [Option<Link>; BUCKETS],
    /// Of each name, the one before it in its bucket.
    before: SmallVec<[Option<Link>; 32]>,
}

/// One more than an index, so that an `Option` takes no more. There are more links than a container can have names, of which
/// an object has `MAX_LIST_ELEMENTS` at most.
type Link = NonZeroU32;

impl Names {
    pub(super) fn new() -> Self {
        Self { last: [None; BUCKETS], before: SmallVec::new() }
    }

    /// `None` takes an index and is never found.
    pub(super) fn add(&mut self, name: Option<&str>) {
        let link = u32::try_from(self.before.len() + 1).ok().and_then(Link::new);
        let before = name.and_then(|name| mem::replace(&mut self.last[bucket(name)], link));
        self.before.push(before);
    }

    /// The indexes of the names that may be this one, whatever its case, the last first.
    pub(super) fn like(&self, name: &str) -> impl Iterator<Item = usize> {
        let index = |link: Link| link.get() as usize - 1;
        iter::successors(self.last[bucket(name)], move |link| self.before[index(*link)]).map(index)
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
    fn names_are_found_by_their_indexes() {
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
