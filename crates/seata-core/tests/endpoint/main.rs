//! Endpoints from outside: whatever is accepted can be called, whatever is refused says why.
#![allow(clippy::unwrap_used, reason = "tests")]

mod entry;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_panics(text in ".{0,40}") {
        entry::parse(&text);
    }

    #[test]
    fn what_is_accepted_can_be_called(
        text in "(https?|grpcs?|local|HTTP|ftp)://[a-c0-9.:@%,;!$&'()*+=_~\\[\\]-]{0,12}[/?#]?[a-c%/?#:@\\[\\]=&.!-]{0,8}",
    ) {
        entry::parse(&text);
    }

    #[test]
    fn an_ordinary_url_is_accepted(
        host in "([a-z][a-z0-9-]{0,9}(\\.[a-z]{2,5}){0,2}|[1-9][0-9]?\\.0\\.0\\.1|\\[::1\\]|\\[fe80::a:1\\])",
        port in prop::option::of(1..=u16::MAX),
        path in "(/[a-z0-9._~%-]{0,9}){0,3}(\\?[a-z=&]{1,9})?",
    ) {
        let path = path.replace('%', "%20");
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let text = format!("http://{host}{port}{path}");
        prop_assert!(entry::parse(&text), "{text}");
    }
}

#[test]
fn a_host_that_no_client_can_call_is_refused() {
    for bad in [
        "http://a]b/",
        "http://[a/",
        "http://[x]/",
        "http://[::1]a/",
        "http://a[::1]/",
        "http://a%20b/",
        "http://a,b/",
        "http://a b/",
        "http://a:80:90/",
    ] {
        assert!(!entry::parse(bad), "{bad}");
    }
}

#[test]
fn the_longest_endpoint_is_accepted_and_one_byte_more_is_not() {
    let path = "p".repeat(seata_core::Endpoint::BYTES_MAX - "http://a/".len());
    assert!(entry::parse(&format!("http://a/{path}")));
    assert!(!entry::parse(&format!("http://a/{path}p")));
}
