//! Small numbers for what a header says in words: what adapters write, and never change.

use seata_core::{Mode, Status};

/// Answers the number under which a mode is stored.
#[must_use]
pub const fn mode_code(mode: Mode) -> u8 {
    match mode {
        Mode::Saga => 1,
        Mode::Tcc => 2,
    }
}

/// Answers the mode that is stored under this number; none: this server knows no such mode.
#[must_use]
pub fn mode_of(code: u8) -> Option<Mode> {
    Mode::ALL.into_iter().find(|mode| mode_code(*mode) == code)
}

/// Answers the number under which a status is stored.
#[must_use]
pub const fn status_code(status: Status) -> u8 {
    match status {
        Status::Prepared => 1,
        Status::Submitted => 2,
        Status::Aborting => 3,
        Status::Committed => 4,
        Status::Aborted => 5,
        Status::Stuck => 6,
    }
}

/// Answers the status that is stored under this number; none: this server knows no such status.
#[must_use]
pub fn status_of(code: u8) -> Option<Status> {
    Status::ALL
        .into_iter()
        .find(|status| status_code(*status) == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_nothing_else() {
        for mode in Mode::ALL {
            assert_eq!(mode_of(mode_code(mode)), Some(mode));
        }
        for status in Status::ALL {
            assert_eq!(status_of(status_code(status)), Some(status));
        }
        assert_eq!((mode_of(0), mode_of(3)), (None, None));
        assert_eq!((status_of(0), status_of(7)), (None, None));
    }

    #[test]
    fn the_numbers_are_those_of_every_released_version() {
        assert_eq!(Mode::ALL.map(mode_code), [1, 2]);
        assert_eq!(Status::ALL.map(status_code), [1, 2, 3, 4, 5, 6]);
    }
}
