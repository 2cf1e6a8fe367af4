//! Finds what somebody meant: the known word with the fewest edits from the one that was written.

/// Words longer than this are compared by their beginning.
const COMPARED_MAX: usize = 64;

/// Answers the nearest of the known words.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word: Vec<char> = word.chars().take(COMPARED_MAX).collect();
    known
        .into_iter()
        .min_by_key(|candidate| distance(&word, candidate))
}

/// The edit distance of Levenshtein, one row at a time.
fn distance(word: &[char], other: &str) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (line, theirs) in other.chars().take(COMPARED_MAX).enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (at, ours) in word.iter().enumerate() {
            let substituted = diagonal + usize::from(*ours != theirs);
            diagonal = row[at + 1];
            row[at + 1] = substituted.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[word.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_with_the_fewest_edits_is_the_nearest() {
        let known = ["action", "compensation", "payload", "after"];
        assert_eq!(nearest("compensaton", known), Some("compensation"));
        assert_eq!(nearest("acton", known), Some("action"));
        assert_eq!(nearest("afer", known), Some("after"));
        assert_eq!(nearest("", known), Some("after"));
        assert_eq!(nearest("x", []), None);
        let far_from_all = "é".repeat(100_000);
        assert_eq!(nearest(&far_from_all, known), Some("action"));
    }
}
