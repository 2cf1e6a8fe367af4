//! Lets pages of named origins ask this server from a browser. None is allowed unless it is listed, each by itself: there
//! is no authentication, so that a page of any origin could order anything.

use std::fmt;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::uri::{Scheme, Uri};
use http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember what it was allowed.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

/// The origins whose pages may ask this server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<HeaderValue>);

/// Says which text is no origin, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginError {
    text: String,
    why: &'static str,
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.text, self.why)
    }
}

impl std::error::Error for OriginError {}

impl Origins {
    /// Reads origins that are separated by commas. Browsers compare them byte for byte, so that each must be written as
    /// a browser sends it: scheme and host in lower case, a port unless it is the usual one, nothing behind it.
    ///
    /// # Errors
    /// One of them could never be what a browser sends.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let origins = text.split(',').map(str::trim).map(origin);
        origins.collect::<Result<_, _>>().map(Self)
    }

    /// Says whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes the layer that tells browsers.
    pub(crate) fn layer(&self) -> CorsLayer {
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(self.0.iter().cloned()))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([ACCEPT, CONTENT_TYPE, LAST_EVENT_ID])
            .expose_headers([NEXT_CURSOR, RETRY_AFTER])
            .max_age(REMEMBERED_FOR)
    }
}

fn origin(text: &str) -> Result<HeaderValue, OriginError> {
    let refused = |why| OriginError {
        text: text.to_owned(),
        why,
    };
    if text == "*" {
        return Err(refused(
            "would let every page in the world give orders: list each origin",
        ));
    }
    let uri: Uri = text.parse().map_err(|_| refused("is no URL"))?;
    let usual_port = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => 80,
        Some(scheme) if *scheme == Scheme::HTTPS => 443,
        Some(_) | None => return Err(refused("does not begin with http:// or https://")),
    };
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(refused("has capitals, which browsers don't send"));
    }
    if uri.port_u16() == Some(usual_port) {
        return Err(refused("names the usual port, which browsers leave out"));
    }
    let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority());
    let authority = authority.map_or("", http::uri::Authority::as_str);
    if authority.contains('*') {
        return Err(refused(
            "has a star, which stands for nothing: list each origin",
        ));
    }
    if authority.contains('@')
        || authority.ends_with(':')
        || text != format!("{scheme}://{authority}")
    {
        return Err(refused(
            "has more than scheme, host and port, such as a slash at its end",
        ));
    }
    HeaderValue::from_str(text).map_err(|_| refused("is no URL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_taken_as_a_browser_would_send_it_and_nothing_else() {
        let both = Origins::parse("https://a.example, http://localhost:3000,http://[::1]:8080");
        assert_eq!(both.map(|origins| origins.0.len()), Ok(3));
        for (bad, why) in [
            ("*", "every page"),
            ("null", "begin with"),
            ("", "no URL"),
            ("https://a.example,", "no URL"),
            ("a.example", "begin with"),
            ("ftp://a.example", "begin with"),
            ("https://", "no URL"),
            ("https://A.example", "capitals"),
            ("https://a.example/", "slash"),
            ("https://a.example/app", "more than"),
            ("https://a.example?x", "more than"),
            ("https://u@a.example", "more than"),
            ("https://a.example:443", "usual port"),
            ("http://a.example:80", "usual port"),
            ("https://a.example:", "more than"),
            ("https://a b", "no URL"),
            ("https://*.example", "star"),
        ] {
            let said = Origins::parse(bad).map_err(|error| error.to_string());
            assert!(
                said.clone().is_err_and(|said| said.contains(why)),
                "{bad}: {said:?}"
            );
        }
    }
}
