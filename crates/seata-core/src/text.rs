//! A bounded text for people: why something happened.

use std::fmt;
use std::sync::Arc;

/// Says why, for a person to read. At most [`Reason::BYTES_MAX`] bytes; a longer text is cut at a character.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Reason(Arc<str>);

impl Reason {
    /// The longest text that is kept, in bytes.
    pub const BYTES_MAX: usize = 1024;

    /// Keeps a text, cut at the bound.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::from(cut(text, Self::BYTES_MAX)))
    }

    /// Answers the beginning of it, of at most so many bytes.
    #[must_use]
    pub(crate) fn shortened(&self, bytes_max: usize) -> Self {
        if self.0.len() <= bytes_max {
            return self.clone();
        }
        Self(Arc::from(cut(&self.0, bytes_max)))
    }

    /// Answers whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Answers the text as the end of a sentence, behind a colon; nothing if nothing was said.
    #[must_use]
    pub fn behind_colon(&self) -> String {
        match self.as_str() {
            "" => String::new(),
            said => format!(": {said}"),
        }
    }

    /// Answers the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Cuts a text at a character.
fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let cut = Reason::new(&"é".repeat(600));
        assert_eq!(cut.as_str().len(), 1024);
        assert_eq!(
            Reason::new(&format!("a{}", "é".repeat(600))).as_str().len(),
            1023
        );
    }
}
