//! Finds what somebody meant: the known word with the fewest edits from the one that was written.

/// Words longer than this are compared by their beginning.
const COMPARED_MAX: usize = 64;

/// A word is near to a known one if it takes at most one edit for so many of its letters, and one in any case.
const LETTERS_PER_EDIT: usize = 4;

/// Says which known word may be meant, or which there are.
pub(crate) fn hint(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(nearest) => format!("the nearest known one is `{nearest}`"),
        None => format!("known are `{}`", known.join("`, `")),
    }
}

/// Answers the nearest of the known words, if more of it stands there than not.
fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let (candidate, edits) = closest(word, known)?;
    (edits * 2 < letters(candidate).len()).then_some(candidate)
}

/// Answers the nearest of the known words, if it is so near that it was surely meant.
pub(crate) fn near<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let (candidate, edits) = closest(word, known)?;
    let edits_max = (candidate.len() / LETTERS_PER_EDIT).max(1);
    (edits <= edits_max).then_some(candidate)
}

fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<(&'k str, usize)> {
    let word = letters(word);
    known
        .into_iter()
        .map(|candidate| (candidate, distance(&word, &letters(candidate))))
        .min_by_key(|(_, edits)| *edits)
}

/// How words are joined is no edit: `branchId` is `branch_id`.
fn letters(word: &str) -> Vec<char> {
    word.chars()
        .filter(|letter| !matches!(letter, '_' | '-'))
        .take(COMPARED_MAX)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

/// The edit distance of Levenshtein in which two neighbours that changed places are one edit, row by row.
fn distance(word: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    let mut above = row.clone();
    for (line, theirs) in other.iter().enumerate() {
        let mut next = vec![line + 1; word.len() + 1];
        for (at, ours) in word.iter().enumerate() {
            let substituted = row[at] + usize::from(ours != theirs);
            let mut edits = substituted.min(row[at + 1] + 1).min(next[at] + 1);
            let swapped = at > 0 && line > 0 && ours == &other[line - 1] && &word[at - 1] == theirs;
            if swapped {
                edits = edits.min(above[at - 1] + 1);
            }
            next[at + 1] = edits;
        }
        above = std::mem::replace(&mut row, next);
    }
    row[word.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["action", "compensation", "payload", "after"];

    #[test]
    fn the_word_with_the_fewest_edits_is_the_nearest() {
        assert_eq!(nearest("compensaton", KNOWN), Some("compensation"));
        assert_eq!(nearest("acton", KNOWN), Some("action"));
        assert_eq!(nearest("afer", KNOWN), Some("after"));
        assert_eq!(nearest("compensate_url", KNOWN), Some("compensation"));
        let far_from_all = "é".repeat(100_000);
        for far in ["", "x", "wait", &far_from_all] {
            assert_eq!(nearest(far, KNOWN), None, "{far}");
        }
        assert_eq!(nearest("wait", ["gid"]), None);
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn a_word_that_is_far_from_all_is_told_all() {
        assert_eq!(hint("acton", &KNOWN), "the nearest known one is `action`");
        assert_eq!(hint("wait", &["gid", "to"]), "known are `gid`, `to`");
    }

    #[test]
    fn only_a_slip_of_the_pen_is_near() {
        let known = ["gid", "wait", "reason", "branches", "timeout_to_fail_secs"];
        for (slip, meant) in [
            ("wiat", "wait"),
            ("gdi", "gid"),
            ("Gid", "gid"),
            ("brances", "branches"),
            ("branch", "branches"),
            ("resaon", "reason"),
            ("timeoutToFailSecs", "timeout_to_fail_secs"),
            ("timeout-to-fail", "timeout_to_fail_secs"),
            ("timeout_to_fail", "timeout_to_fail_secs"),
        ] {
            assert_eq!(near(slip, known), Some(meant), "{slip}");
        }
        for other in ["", "comment", "note", "waiting", "tenant", "request", "x"] {
            assert_eq!(near(other, known), None, "{other}");
        }
        assert_eq!(near("x", []), None);
    }
}
