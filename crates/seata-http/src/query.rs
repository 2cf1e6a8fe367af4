//! Decodes paths and query strings, strictly: what is not valid percent-encoding of UTF-8 is refused, never guessed.

use seata_core::Gid;
use seata_service::{ErrorCode, Problem};

use crate::parse::{hint, near};

/// The names and values of a query string.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes `a=1&b=2`.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, Problem> {
        text.unwrap_or("")
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let text = |part: &str| decode("the query", &part.replace('+', " "));
                Ok((text(name)?, text(value)?))
            })
            .collect::<Result<_, Problem>>()
            .map(Self)
    }

    /// Refuses names that are not known and values that are empty: a filter that is stepped over lists everything.
    pub(crate) fn only(self, known: &[&'static str]) -> Result<Self, Problem> {
        for (name, value) in &self.0 {
            if !known.contains(&name.as_str()) {
                return Err(Problem::field(name, unknown(name, known)));
            }
            if value.is_empty() {
                let why = "is empty: give a value, or leave the parameter out";
                return Err(Problem::field(name, why));
            }
        }
        Ok(self)
    }

    /// Refuses all names: what a path with a body takes stands in it.
    pub(crate) fn none_beside_a_body(&self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::field(
                name,
                "unknown parameter: this path takes none, give it in the body",
            )),
        }
    }

    /// Answers the value of a name.
    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.0.iter().filter(|(known, _)| known == name);
        let value = values.next();
        if values.next().is_some() {
            return Err(Problem::field(
                name,
                "is given twice in the query: give it once",
            ));
        }
        Ok(value.map(|(_, value)| value.as_str()))
    }
}

/// Says what a parameter is that is not known.
fn unknown(name: &str, known: &[&'static str]) -> String {
    if near(name, ["last_event_id"]).is_some() {
        return "unknown parameter: the header `last-event-id` says behind which event a watch begins"
            .to_owned();
    }
    match known {
        [] => "unknown parameter: this path takes none".to_owned(),
        known => format!("unknown parameter: {}", hint(name, known)),
    }
}

/// Reads the gid of `/api/tx/{gid}…`.
pub(crate) fn gid_of_path(path: &str) -> Result<Gid, Problem> {
    let segment = path.split('/').nth(3).unwrap_or("");
    let text = decode("the gid in the path", segment)
        .map_err(|problem| Problem::invalid(ErrorCode::InvalidGid, "gid", problem.text()))?;
    Gid::parse(&text).map_err(|error| Problem::invalid(ErrorCode::InvalidGid, "gid", error.why()))
}

fn decode(what: &str, text: &str) -> Result<String, Problem> {
    let refused = |why: &str| {
        Problem::new(
            ErrorCode::InvalidRequest,
            format_args!("{what} {why}: percent-encode it as UTF-8"),
        )
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let high = rest.next().and_then(hex);
                let low = rest.next().and_then(hex);
                let (Some(high), Some(low)) = (high, low) else {
                    return Err(refused("holds a % without two hexadecimal digits"));
                };
                bytes.push(high << 4 | low);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|_| refused("is not UTF-8"))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn queries_are_decoded_strictly() {
        let query = Query::parse(Some("a=1&b=x%20y+z&c&b2=%C3%A9&=")).unwrap();
        assert_eq!(query.get("a").unwrap(), Some("1"));
        assert_eq!(query.get("b").unwrap(), Some("x y z"));
        assert_eq!(query.get("b2").unwrap(), Some("é"));
        assert_eq!(query.get("c").unwrap(), Some(""));
        assert_eq!(query.get("d").unwrap(), None);
        assert_eq!(
            Query::parse(Some("a=%2B")).unwrap().get("a").unwrap(),
            Some("+")
        );
        for bad in ["a=%", "a=%4", "a=%zz", "a=%+1", "%ff=1", "a=%C3"] {
            assert!(Query::parse(Some(bad)).is_err(), "{bad}");
        }
        assert!(Query::parse(Some("a=1&a=2")).unwrap().get("a").is_err());
    }

    #[test]
    fn unknown_names_and_empty_values_are_refused_by_name() {
        let known = ["status", "mode"];
        let refused = |text| {
            let query = Query::parse(Some(text)).unwrap();
            query
                .only(&known)
                .err()
                .map(|problem| problem.text().to_owned())
        };
        assert_eq!(refused("status=STUCK&mode=saga"), None);
        assert_eq!(refused(""), None);
        let misspelt = refused("staus=STUCK").unwrap();
        assert!(misspelt.contains("`status`"), "{misspelt}");
        for empty in ["status=", "status", "mode=saga&status="] {
            let why = refused(empty).unwrap();
            assert!(why.starts_with("status: is empty"), "{why}");
        }
    }

    #[test]
    fn a_gid_in_a_path_is_parsed_like_any_other() {
        assert_eq!(gid_of_path("/api/tx/a%3Ab/events").unwrap().as_str(), "a:b");
        for bad in [
            "/api/tx/a'b",
            "/api/tx/a%27b",
            "/api/tx/%",
            "/api/tx/%00",
            "/api/tx/",
        ] {
            assert_eq!(gid_of_path(bad).unwrap_err().code, ErrorCode::InvalidGid);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_query_and_path_is_answered(text in "\\PC*", percent in "(%[0-9a-fA-F]?[0-9a-fA-F]?|[a-z=&+])*") {
            for text in [text, percent] {
                if let Ok(query) = Query::parse(Some(&text)) {
                    let _ = query.get("a");
                }
                let _ = gid_of_path(&format!("/api/tx/{text}"));
                let _ = gid_of_path(&text);
            }
        }
    }
}
