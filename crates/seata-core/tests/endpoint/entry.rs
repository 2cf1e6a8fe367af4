//! What is tried with any text. The fuzz target `endpoint` runs the same.

use seata_core::{Endpoint, Scheme};

/// Parses a text and answers whether it is an endpoint. What is accepted is kept to the byte, names a host, and reads
/// as a URI for the client that calls it.
pub(crate) fn parse(text: &str) -> bool {
    let endpoint = match Endpoint::parse(text) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    assert_eq!(endpoint.as_str(), text);
    assert!(!endpoint.authority().is_empty(), "{text}");
    match endpoint.scheme() {
        Scheme::Local => {}
        Scheme::Http | Scheme::Https | Scheme::Grpc | Scheme::Grpcs => {
            let uri: http::Uri = text
                .parse()
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            let authority = uri.authority().map(http::uri::Authority::as_str);
            assert_eq!(authority, Some(endpoint.authority()), "{text}");
            assert!(!uri.host().unwrap_or_default().is_empty(), "{text}");
        }
    }
    true
}
