//! "Did you mean": the known word that is nearest to what was written.

/// The nearest of `known`, where it is near enough to be what was meant. Case never counts.
pub(crate) fn closest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // No known word is so long that a longer text could be near it; distance takes time by the product of lengths.
    if written.len() > 64 {
        return None;
    }
    let written = written.to_lowercase();
    let near = |word: &&str| edits(&written, &word.to_lowercase());
    let word = known.into_iter().min_by_key(near)?;
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    (near(&word) <= allowed).then_some(word)
}

/// Insertions, deletions and replacements of a character from one text to the other (Levenshtein).
fn edits(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, character) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, against) in other.chars().enumerate() {
            let replaced = diagonal + usize::from(character != against);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_meant_if_it_is_near() {
        let known = ["mode", "require", "podLevel", "skipAbove", "cpu"];
        let rows = [
            ("one letter too many", "modee", Some("mode")),
            ("only the case", "PODLEVEL", Some("podLevel")),
            ("snake case", "skip_above", Some("skipAbove")),
            ("two letters swapped", "podLveel", Some("podLevel")),
            ("a short word, another letter", "cpy", Some("cpu")),
            ("a short word, nothing alike", "gpus", None),
            ("nothing alike", "namespace", None),
            ("empty", "", None),
        ];
        for (name, written, expected) in rows {
            assert_eq!(closest(written, known), expected, "{name}");
        }
        assert_eq!(closest(&"m".repeat(100_000), known), None);
    }
}
