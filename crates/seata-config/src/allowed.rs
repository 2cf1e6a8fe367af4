//! What a value may be: read once, and said in words where it isn't.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The values of one key.
pub(crate) trait Allowed {
    /// What the text stands for.
    type Value;

    /// Reads the text, if it is allowed.
    fn read(&self, text: &str) -> Option<Self::Value>;

    /// Says what is allowed, as the end of "it must be …".
    fn said(&self) -> String;

    /// Answers the text as everyone may see it.
    fn masked(&self, text: &str) -> String {
        text.to_owned()
    }
}

/// A whole number.
pub(crate) struct Whole<N>(pub(crate) RangeInclusive<N>);

impl<N: FromStr + PartialOrd + Display> Allowed for Whole<N> {
    type Value = N;

    fn read(&self, text: &str) -> Option<N> {
        text.parse().ok().filter(|number| self.0.contains(number))
    }

    fn said(&self) -> String {
        format!("a whole number from {} to {}", self.0.start(), self.0.end())
    }
}

/// Seconds, with decimals if need be.
pub(crate) struct Secs(pub(crate) RangeInclusive<f64>);

impl Allowed for Secs {
    type Value = Duration;

    fn read(&self, text: &str) -> Option<Duration> {
        let secs = text.parse().ok().filter(|secs| self.0.contains(secs))?;
        Duration::try_from_secs_f64(secs).ok()
    }

    fn said(&self) -> String {
        format!("seconds from {} to {}", self.0.start(), self.0.end())
    }
}

/// Seconds, or no limit at all.
pub(crate) struct SecsOrNone(pub(crate) RangeInclusive<f64>);

impl Allowed for SecsOrNone {
    type Value = Option<Duration>;

    fn read(&self, text: &str) -> Option<Option<Duration>> {
        match text {
            "none" => Some(None),
            secs => Secs(self.0.clone()).read(secs).map(Some),
        }
    }

    fn said(&self) -> String {
        format!("none, or {}", Secs(self.0.clone()).said())
    }
}

/// One of some words.
pub(crate) struct OneOf<T: 'static> {
    pub(crate) words: &'static [(&'static str, T)],
    /// Said behind them.
    pub(crate) note: &'static str,
}

impl<T: Copy> Allowed for OneOf<T> {
    type Value = T;

    fn read(&self, text: &str) -> Option<T> {
        let found = self.words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value)
    }

    fn said(&self) -> String {
        let words: Vec<&str> = self.words.iter().map(|(word, _)| *word).collect();
        words.join(" or ") + self.note
    }
}

/// An address of this machine.
pub(crate) struct Address;

impl Allowed for Address {
    type Value = IpAddr;

    fn read(&self, text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    fn said(&self) -> String {
        "an IP address of this machine, such as 127.0.0.1 or ::1, or 0.0.0.0 for all of them".into()
    }
}

/// A folder, which need not exist.
pub(crate) struct Folder;

impl Allowed for Folder {
    type Value = PathBuf;

    fn read(&self, text: &str) -> Option<PathBuf> {
        Some(PathBuf::from(text)).filter(|_| !text.is_empty())
    }

    fn said(&self) -> String {
        "the path of a folder".into()
    }
}

/// Origins of pages, or none at all. Whether each is one is for the transport to say, which knows what browsers send.
pub(crate) struct OriginList;

impl Allowed for OriginList {
    type Value = Option<String>;

    fn read(&self, text: &str) -> Option<Option<String>> {
        match text {
            "none" => Some(None),
            origins => Some(Some(origins.to_owned())),
        }
    }

    fn said(&self) -> String {
        "none, or origins as browsers send them, separated by commas, such as https://app.example or http://localhost:3000: no star, no path, no slash at the end, no usual port"
            .into()
    }
}
