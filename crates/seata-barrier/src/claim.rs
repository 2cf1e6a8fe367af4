//! What a claim says to the participant. How it came about is not told here.

use http::StatusCode;

/// Says whether the participant does the work.
#[must_use]
#[derive(Debug)]
pub enum Claim<T> {
    /// Nobody did this operation yet: do the work in this transaction, commit it, then answer success.
    ///
    /// To refuse, roll it back and answer 409: then nothing was claimed.
    Run(T),
    /// Do no work, and give the answer that this says. What had to be remembered is committed.
    Skip(Skip),
}

/// Why an operation needs no work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Skip {
    /// It has been done before. Answer success.
    Duplicate,
    /// Its action (or try) never took effect here and never will: nothing to undo. Answer success.
    Null,
    /// Its compensation (or cancel) came first. Answer a refusal: doing it now would never be undone.
    Hanging,
}

impl Skip {
    /// Answers the status of the HTTP answer: 200, or 409 for a hanging action.
    #[must_use]
    pub const fn http_status(self) -> StatusCode {
        match self {
            Self::Duplicate | Self::Null => StatusCode::OK,
            Self::Hanging => StatusCode::CONFLICT,
        }
    }

    /// Answers a sentence for a person.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "done before",
            Self::Null => "nothing to undo: it was never done",
            Self::Hanging => "refused: it has been undone before it came",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hanging_action_is_answered_with_a_refusal() {
        assert_eq!(Skip::Duplicate.http_status(), StatusCode::OK);
        assert_eq!(Skip::Null.http_status(), StatusCode::OK);
        assert_eq!(Skip::Hanging.http_status(), StatusCode::CONFLICT);
    }
}
