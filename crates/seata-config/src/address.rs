//! Addresses of shared stores. They hold passwords: nothing here shows one, except to whoever connects.

use std::fmt::{self, Debug, Display, Formatter};

use crate::allowed::Allowed;

/// What stands for a password, and for whatever may be one.
const MASK: &str = "***";

/// The most databases that transactions are spread over.
const COUNT_MAX: usize = 256;

/// The address of a store, password included. What it shows of itself has none.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreAddress(String);

impl StoreAddress {
    /// Answers the address as it was given, for whoever connects: never for a log or an error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Display for StoreAddress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

impl Debug for StoreAddress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// Which addresses one key takes.
pub(crate) struct Addresses {
    /// How they begin, the usual one first.
    pub(crate) schemes: &'static [&'static str],
    /// The most of them.
    pub(crate) count_max: usize,
    /// How one looks.
    pub(crate) example: &'static str,
}

pub(crate) const REDIS: Addresses = Addresses {
    schemes: &[
        "redis",
        "rediss",
        "redis-cluster",
        "rediss-cluster",
        "redis-sentinel",
        "rediss-sentinel",
    ],
    count_max: 1,
    example: "redis://:password@host:6379/0",
};

pub(crate) const MYSQL: Addresses = Addresses {
    schemes: &["mysql", "mariadb"],
    count_max: COUNT_MAX,
    example: "mysql://user:password@host:3306/seata",
};

pub(crate) const POSTGRES: Addresses = Addresses {
    schemes: &["postgres", "postgresql"],
    count_max: COUNT_MAX,
    example: "postgres://user:password@host:5432/seata",
};

impl Allowed for Addresses {
    /// None of them: there is no such store.
    type Value = Vec<StoreAddress>;

    fn read(&self, text: &str) -> Option<Vec<StoreAddress>> {
        if text == "none" {
            return Some(Vec::new());
        }
        let texts = self.split(text);
        let repeats = (1..texts.len()).any(|at| texts[..at].contains(&texts[at]));
        if texts.len() > self.count_max || repeats {
            return None;
        }
        let addresses = texts.into_iter().map(|text| self.one(text));
        addresses.collect()
    }

    fn said(&self) -> String {
        let several = if self.count_max > 1 {
            ", or several behind commas, each once and with its scheme"
        } else {
            ""
        };
        format!(
            "none, or an address such as {}{several}; it begins with {}; user and password are percent-encoded (@ is %40, a comma %2C)",
            self.example,
            self.beginnings(),
        )
    }

    fn masked(&self, text: &str) -> String {
        match self.read(text) {
            Some(addresses) if !addresses.is_empty() => {
                let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                addresses.join(",")
            }
            Some(_) => text.to_owned(),
            None => masked(text),
        }
    }
}

impl Addresses {
    fn beginnings(&self) -> String {
        let beginnings: Vec<String> = self.schemes.iter().map(|s| format!("{s}://")).collect();
        beginnings.join(" or ")
    }

    /// Splits at the commas behind which an address begins: within one, a comma may stand for something else.
    fn split<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let mut texts = Vec::new();
        let mut begun = 0;
        for (at, _) in text.match_indices(',') {
            if self.scheme_of(text[at + 1..].trim_start()).is_some() {
                texts.push(text[begun..at].trim());
                begun = at + 1;
            }
        }
        texts.push(text[begun..].trim());
        texts
    }

    fn scheme_of(&self, text: &str) -> Option<&'static str> {
        let (scheme, _) = text.split_once("://")?;
        let known = self.schemes.iter().find(|known| **known == scheme);
        known.copied()
    }

    fn one(&self, text: &str) -> Option<StoreAddress> {
        let scheme = self.scheme_of(text)?;
        let rest = text.strip_prefix(scheme)?.strip_prefix("://")?;
        let place = rest.split('?').next().unwrap_or_default();
        let odd = |c: char| c.is_whitespace() || c.is_control() || ",#\"\\".contains(c);
        let is_one = !place.is_empty() && place.matches('@').count() <= 1 && !text.contains(odd);
        is_one.then(|| StoreAddress(text.to_owned()))
    }
}

/// Parameters of which the value may be seen.
const SHOWN: &[&str] = &[
    "sslmode", "ssl-mode", "host", "hostaddr", "port", "dbname", "user", "node", "socket",
];

/// Hides whatever may be a password, also in what is no address: the more is hidden, the less the text looks like one.
fn masked(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return MASK.to_owned();
    };
    if !scheme
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "+-".contains(c))
    {
        return MASK.to_owned();
    }
    // The last one: one that should have been percent-encoded stands in the password.
    match rest.rsplit_once('@') {
        None => format!("{scheme}://{}", masked_query(rest)),
        Some((who, place)) => {
            let who = masked_user(scheme, who);
            format!("{scheme}://{who}@{}", masked_query(place))
        }
    }
}

fn masked_user(scheme: &str, who: &str) -> String {
    let plain = |text: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-%".contains(c);
        text.chars().all(allowed)
    };
    match who.split_once(':') {
        Some((user, _)) if plain(user) => format!("{user}:{MASK}"),
        // Who gives Redis a word alone most often means the password.
        None if plain(who) && !scheme.starts_with("redis") => who.to_owned(),
        Some(_) | None => MASK.to_owned(),
    }
}

fn masked_query(place: &str) -> String {
    let Some((place, query)) = place.split_once('?') else {
        return place.to_owned();
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if SHOWN.contains(&name) => pair.to_owned(),
        Some((name, _)) => format!("{name}={MASK}"),
        None => MASK.to_owned(),
    });
    let pairs: Vec<String> = pairs.collect();
    format!("{place}?{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn texts(read: Option<Vec<StoreAddress>>) -> Vec<String> {
        let addresses = read.unwrap_or_default();
        addresses.iter().map(|one| one.0.clone()).collect()
    }

    #[test]
    fn several_addresses_each_begin_with_their_scheme() {
        let (one, two) = (
            "postgres://u:p@a:1/s",
            "postgresql://u:p@b:1/s?sslmode=require",
        );
        let read = |text: &str| texts(POSTGRES.read(text));
        assert_eq!(read(one), [one]);
        assert_eq!(read(&format!("{one}, {two}")), [one, two]);
        assert_eq!(POSTGRES.read("none"), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "postgres://",
            "u:p@a/s",
            "mysql://u:p@a/s",
            "postgres://u:p@a/s,",
            "postgres://u:p@a/s,b:5432",
            "postgres://u:p@a/s,postgres://u:p@a/s",
            "postgres://u:p@q@a/s",
            "postgres://u:p#q@a/s",
            "postgres://u:p @a/s",
            "POSTGRES://u:p@a/s",
        ] {
            assert_eq!(POSTGRES.read(text), None, "{text}");
        }
        let two = "redis://a:1,redis://b:1";
        assert_eq!(REDIS.read(two), None);
    }

    #[test]
    fn no_password_is_shown_however_badly_it_is_written() {
        for (text, shown) in [
            ("postgres://u:secret@h:1/s", "postgres://u:***@h:1/s"),
            ("postgres://u@h/s", "postgres://u@h/s"),
            ("postgres://h/s", "postgres://h/s"),
            ("postgres://u:secret@secret@h/s", "postgres://u:***@h/s"),
            ("postgres://u:secret/secret@h/s", "postgres://u:***@h/s"),
            ("postgres://u:secret?secret@h/s", "postgres://u:***@h/s"),
            ("postgres://u:secret#secret@h/s", "postgres://u:***@h/s"),
            ("postgres://secret secret@h/s", "postgres://***@h/s"),
            (
                "postgres://h/s?user=u&password=secret&sslmode=require",
                "postgres://h/s?user=u&password=***&sslmode=require",
            ),
            (
                "postgres://h/s?password=secret@secret",
                "postgres://***@secret",
            ),
            (
                "postgres://u:secret@a/s,postgres://u:secret@b/s",
                "postgres://u:***@a/s,postgres://u:***@b/s",
            ),
            (
                "postgres://u:secret@a/s,u:secret@b/s",
                "postgres://u:***@b/s",
            ),
            ("postgres//u:secret@h/s", "***"),
            ("secret", "***"),
            ("", ""),
        ] {
            let masked = POSTGRES.masked(text);
            assert_eq!(masked, shown);
        }
        assert_eq!(REDIS.masked("redis://:secret@h:1/0"), "redis://:***@h:1/0");
        let sentinels = "redis-sentinel://h?node=a:1&sentinelPassword=secret";
        assert_eq!(REDIS.masked(sentinels), sentinels.replace("secret", MASK));
        assert_eq!(REDIS.masked("redis://secret@h:1/0"), "redis://***@h:1/0");
        let address = POSTGRES.read("postgres://u:secret@h:1/s").unwrap();
        assert_eq!(format!("{address:?}"), "[postgres://u:***@h:1/s]");
    }
}
