//! The TLS of `https://` and `grpcs://` calls: rustls with ring. It is set up at the first such call, so that a server that makes
//! none keeps no roots in memory and starts on a machine without any.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::config::TlsRoots;

/// Reads the roots and makes the configuration. Blocks on files.
///
/// # Errors
/// There is no root to trust; says so for a person.
pub(crate) fn load(roots: TlsRoots) -> Result<ClientConfig, String> {
    let certificates = match roots {
        TlsRoots::System => rustls_native_certs::load_native_certs().certs,
        TlsRoots::Der(certificates) => certificates.into_iter().map(CertificateDer::from).collect(),
    };
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(
            "TLS can't be used: no certificate authority is known; install ca-certificates or set SSL_CERT_FILE"
                .to_owned(),
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.map_err(|error| format!("TLS can't be used: {error}"))?;
    Ok(config.with_root_certificates(store).with_no_client_auth())
}
