//! Where a branch is called: a URL that was parsed at the edge.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;

/// How an endpoint is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `http://host[:port]/path`
    Http,
    /// `https://host[:port]/path`
    Https,
    /// `grpc://host[:port]/package.Service/Method`, without TLS.
    Grpc,
    /// `grpcs://host[:port]/package.Service/Method`, over TLS.
    Grpcs,
    /// `local://name`: a handler that an embedding program registered.
    Local,
}

impl Scheme {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Http, "http://"),
        (Self::Https, "https://"),
        (Self::Grpc, "grpc://"),
        (Self::Grpcs, "grpcs://"),
        (Self::Local, "local://"),
    ];
}

/// Says why a text is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// There is no text.
    #[error("the endpoint is empty: write http://host:port/path")]
    Empty,
    /// The scheme is missing or unknown. Where `local://` may be given, only the program that offers it knows.
    #[error(
        "endpoint {0:?} has no known scheme: begin it with http://, https://, grpc:// or grpcs://"
    )]
    Scheme(String),
    /// The scheme is known but for its capitals. An endpoint is compared and kept as it was written.
    #[error("endpoint {text:?} has capitals in its scheme: begin it with {meant}")]
    Capitals {
        /// The text given.
        text: String,
        /// The scheme in lower case.
        meant: &'static str,
    },
    /// Nothing stands where the host or the handler's name belongs.
    #[error("endpoint {0:?} names no host: write http://host:port/path")]
    Host(String),
    /// What stands there can't be a host.
    #[error(
        "endpoint {0:?} has a host that is no name and no address: write letters, digits, -, _ and ., or an IPv6 address in brackets"
    )]
    HostName(String),
    /// The port is not a number from 1 to 65535.
    #[error("endpoint {0:?} has a port that is not a number from 1 to 65535")]
    Port(String),
    /// What follows the host of a gRPC endpoint names no method.
    #[error("endpoint {0:?} names no gRPC method: write grpc://host:port/package.Service/Method")]
    Method(String),
    /// A character is not allowed in a URL.
    #[error("endpoint {text:?} holds {found:?}, which must be percent-encoded in a URL")]
    Character {
        /// The text given.
        text: String,
        /// The character.
        found: char,
    },
    /// The URL carries a user name or password.
    #[error("an endpoint must not carry a user name or password: send credentials in `headers`")]
    Credentials,
    /// The URL carries a fragment, which is never sent.
    #[error("endpoint {0:?} carries a fragment (#…), which is never sent: remove it")]
    Fragment(String),
    /// The text is longer than allowed.
    #[error("endpoint has {0} bytes: give at most 2048")]
    TooLong(usize),
}

/// Names where a branch is called. At most [`Endpoint::BYTES_MAX`] bytes; the scheme in lower case.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    scheme: Scheme,
    text: Arc<str>,
}

impl Endpoint {
    /// The longest endpoint, in bytes.
    pub const BYTES_MAX: usize = 2048;

    /// Parses an endpoint.
    ///
    /// # Errors
    /// The text is not a URL of a known scheme with a host, or carries what must not be in it.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        if text.is_empty() {
            return Err(EndpointError::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(EndpointError::TooLong(text.len()));
        }
        if let Some(found) = text.chars().find(|c| !is_url_char(*c)) {
            return Err(EndpointError::Character {
                text: text.to_owned(),
                found,
            });
        }
        let Some((scheme, rest)) = split_scheme(text) else {
            return Err(no_scheme(text));
        };
        if rest.contains('#') {
            return Err(EndpointError::Fragment(text.to_owned()));
        }
        let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
        check_authority(scheme, authority, text)?;
        check_path(scheme, &rest[authority.len()..], text)?;
        Ok(Self {
            scheme,
            text: Arc::from(text),
        })
    }

    /// Answers how the endpoint is reached.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Answers the whole URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Answers `host[:port]`, or the name of a local handler.
    #[must_use]
    pub fn authority(&self) -> &str {
        let rest = split_scheme(&self.text).map_or("", |(_, rest)| rest);
        &rest[..rest.find(['/', '?']).unwrap_or(rest.len())]
    }
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    Scheme::ALL
        .into_iter()
        .find_map(|(scheme, prefix)| text.strip_prefix(prefix).map(|rest| (scheme, rest)))
}

fn no_scheme(text: &str) -> EndpointError {
    let meant = Scheme::ALL.into_iter().find(|(_, prefix)| {
        text.get(..prefix.len())
            .is_some_and(|given| given.eq_ignore_ascii_case(prefix))
    });
    let text = text.to_owned();
    match meant {
        Some((_, meant)) => EndpointError::Capitals { text, meant },
        None => EndpointError::Scheme(text),
    }
}

fn is_url_char(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
}

fn check_authority(scheme: Scheme, authority: &str, text: &str) -> Result<(), EndpointError> {
    if authority.contains('@') {
        return Err(EndpointError::Credentials);
    }
    let (host, port) = split_port(authority);
    if host.is_empty() || host == "[]" {
        return Err(EndpointError::Host(text.to_owned()));
    }
    if !is_host(host) {
        return Err(EndpointError::HostName(text.to_owned()));
    }
    match (scheme, port) {
        (Scheme::Local, None) => Ok(()),
        (Scheme::Local, Some(_)) => Err(EndpointError::Port(text.to_owned())),
        (Scheme::Http | Scheme::Https | Scheme::Grpc | Scheme::Grpcs, None) => Ok(()),
        (Scheme::Http | Scheme::Https | Scheme::Grpc | Scheme::Grpcs, Some(port)) => {
            match port.parse::<u16>() {
                Ok(1..) if port.bytes().all(|b| b.is_ascii_digit()) => Ok(()),
                Ok(_) | Err(_) => Err(EndpointError::Port(text.to_owned())),
            }
        }
    }
}

/// Checks that a gRPC endpoint names a method. Any other path is the participant's own matter.
fn check_path(scheme: Scheme, path: &str, text: &str) -> Result<(), EndpointError> {
    match scheme {
        Scheme::Http | Scheme::Https | Scheme::Local => Ok(()),
        Scheme::Grpc | Scheme::Grpcs if is_method(path) => Ok(()),
        Scheme::Grpc | Scheme::Grpcs => Err(EndpointError::Method(text.to_owned())),
    }
}

/// Says whether a path is `/package.Service/Method` in protobuf's identifiers; the package may be missing.
fn is_method(path: &str) -> bool {
    let named = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    named.is_some_and(|(service, method)| {
        service.split('.').all(is_identifier) && is_identifier(method)
    })
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Says whether a host could ever be reached; one that can't would be called until the deadline, or for ever.
fn is_host(host: &str) -> bool {
    if let Some(bracketed) = host.strip_prefix('[') {
        let address = bracketed.strip_suffix(']').unwrap_or("");
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    name.split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}

/// Splits `host:port`; the colons within `[::1]` belong to the host.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let after_bracket = authority.rfind(']').map_or(0, |at| at + 1);
    match authority[after_bracket..].find(':') {
        Some(at) => (
            &authority[..after_bracket + at],
            Some(&authority[after_bracket + at + 1..]),
        ),
        None => (authority, None),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_parsed_and_refused_by_reason() {
        for good in [
            "http://a/",
            "http://a:80",
            "https://a.b:443/x?y=1",
            "http://a-b_c.d./",
            "http://127.0.0.1:1/",
            "http://[::1]:8080/p",
            "local://credit",
            "grpc://a:1/bank.v1.Account/Debit",
            "grpc://[::1]:8080/Account/Debit",
            "grpcs://a.b/_x.Account2/Debit_2",
        ] {
            assert!(Endpoint::parse(good).is_ok(), "{good}");
        }
        assert_eq!(
            Endpoint::parse("http://[::1]:8080/p").map(|e| e.authority().to_owned()),
            Ok("[::1]:8080".into())
        );
        for (bad, why) in [
            ("", "is empty"),
            ("a", "no known scheme"),
            ("ftp://a", "no known scheme"),
            ("HTTP://a", "begin it with http://"),
            ("Grpcs://a", "begin it with grpcs://"),
            ("http://", "names no host"),
            ("http:///x", "names no host"),
            ("http://:80/", "names no host"),
            ("http://a:0/", "port"),
            ("http://a:70000/", "port"),
            ("http://a:/", "port"),
            ("http://a:+1/", "port"),
            ("http://u:p@a/", "user name or password"),
            ("http://a/#x", "fragment"),
            ("http://a/ b", "percent-encoded"),
            ("http://a/\u{e9}", "percent-encoded"),
            ("local://a:1", "port"),
            ("http://[::1]x/", "no name and no address"),
            ("http://[zz]/", "no name and no address"),
            ("http://[::1/", "no name and no address"),
            ("http://a]b/", "no name and no address"),
            ("http://a..b/", "no name and no address"),
            ("http://./", "no name and no address"),
            ("http://a%20b/", "no name and no address"),
            ("http://*/", "no name and no address"),
            ("grpc:///a.B/C", "names no host"),
            ("grpc://a:0/a.B/C", "port"),
            ("grpc://u:p@a/a.B/C", "user name or password"),
            ("grpc://a:1", "no gRPC method"),
            ("grpc://a:1/", "no gRPC method"),
            ("grpc://a:1/a.B", "no gRPC method"),
            ("grpc://a:1/a.B/", "no gRPC method"),
            ("grpc://a:1//C", "no gRPC method"),
            ("grpc://a:1/a..B/C", "no gRPC method"),
            ("grpc://a:1/a.B/C/D", "no gRPC method"),
            ("grpc://a:1/a.B/C?x=1", "no gRPC method"),
            ("grpc://a:1?x=/a.B/C", "no gRPC method"),
            ("grpc://a:1/a.B/1C", "no gRPC method"),
            ("grpcs://a:1/a-b.B/C", "no gRPC method"),
            ("local://a&b", "no name and no address"),
        ] {
            let error = Endpoint::parse(bad).expect_err(bad).to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
