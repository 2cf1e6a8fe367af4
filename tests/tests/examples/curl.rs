//! Reads a command of curl as far as the page uses it.

use http::Method;

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Curl {
    pub(crate) text: String,
    pub(crate) method: Method,
    /// With the query.
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) accept: Option<String>,
}

impl Curl {
    /// Reads a command.
    ///
    /// # Panics
    /// It is none that this reads.
    pub(crate) fn parse(text: &str) -> Self {
        let mut words = words(text).into_iter();
        assert_eq!(words.next().as_deref(), Some("curl"), "{text}");
        let mut curl = Self {
            text: text.to_owned(),
            method: Method::GET,
            path: String::new(),
            body: String::new(),
            accept: None,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "-sS" | "-sSN" => {}
                "-H" => curl.header(&words.next().unwrap()),
                "-d" => {
                    curl.method = Method::POST;
                    curl.body = words.next().unwrap();
                }
                url => {
                    let path = url.strip_prefix("localhost:36789");
                    curl.path = path.unwrap_or_else(|| panic!("{url}: {text}")).to_owned();
                }
            }
        }
        assert!(curl.path.starts_with('/'), "{text}");
        curl
    }

    fn header(&mut self, header: &str) {
        match header.split_once(": ").unwrap() {
            ("content-type", "application/json") => {}
            ("accept", kind) => self.accept = Some(kind.to_owned()),
            other => panic!("{other:?}: {}", self.text),
        }
    }

    /// Names the route, as it stands in `given`.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Says whether the answer goes on for ever.
    pub(crate) fn is_stream(&self) -> bool {
        let path = self.path.split('?').next().unwrap_or("");
        path.ends_with("/watch")
    }
}

/// Splits a command as a shell would, without what the page doesn't use.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in text.split('\'').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}
