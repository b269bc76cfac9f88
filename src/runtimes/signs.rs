//! The catalogue's signs by their first letter: a name or word is asked for all of them, and there are hundreds. `detect` asks.

use std::sync::LazyLock;

use super::{ALL, Runtime, Signs, is_like};

pub(super) static COMMANDS: LazyLock<Index> = LazyLock::new(|| Index::new(|signs| signs.commands.to_vec()));
pub(super) static VARIABLES: LazyLock<Index> = LazyLock::new(|| Index::new(|signs| signs.variables.to_vec()));
/// Of runtimes, and of what runs on them.
pub(super) static IMAGES: LazyLock<Index> =
    LazyLock::new(|| Index::new(|signs| [signs.images, signs.products].concat()));

/// By the first byte, in the catalogue's order. Signs are words of ASCII.
pub(super) struct Index([Vec<(&'static str, &'static Runtime)>; 128]);

impl Index {
    fn new(signs: impl Fn(&Signs) -> Vec<&'static str>) -> Self {
        let mut index = Self([const { Vec::new() }; 128]);
        for runtime in ALL {
            for sign in signs(&runtime.signs) {
                index.0[usize::from(sign.as_bytes()[0])].push((sign, runtime));
            }
        }
        index
    }

    /// The runtimes that a word tells of; one of them twice where two of its signs are like it.
    pub(super) fn of(&self, word: &str) -> impl Iterator<Item = &'static Runtime> {
        let first = word.as_bytes().first().and_then(|first| self.0.get(usize::from(*first)));
        let signs = first.map_or(&[][..], |signs| signs);
        signs.iter().filter(move |(sign, _)| is_like(word, sign)).map(|(_, runtime)| *runtime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_begins_with_a_letter_that_is_looked_up() {
        for index in [&COMMANDS, &VARIABLES, &IMAGES] {
            for (sign, runtime) in index.0.iter().flatten() {
                assert!(index.of(sign).any(|found| found == *runtime), "{sign}");
            }
        }
    }
}
