//! Calls over TLS: HTTP/2 where offered, and nobody is trusted without a root.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use seata_core::Outcome;
use seata_executor::{Executor, ExecutorConfig, TlsRoots};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::calls::{call, made, reason};
use crate::participant::{Answered, Participant, Received, answer, serve};

pub(crate) struct Secured {
    pub(crate) participant: Participant,
    pub(crate) certificate: Vec<u8>,
}

impl Secured {
    async fn offering(protocols: &[&[u8]]) -> Self {
        Self::answering(protocols, |_| ready(answer(200, "ok"))).await
    }

    pub(crate) async fn answering<F, Fut, B>(protocols: &[&[u8]], answer: F) -> Self
    where
        F: Fn(Received) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response<B>> + Send + 'static,
        B: Answered,
    {
        Self::greeting(protocols, |stream, _| ready(Some(stream)), answer).await
    }

    /// Begins the handshake on a connection, the how many-th it is, only once it is given back.
    pub(crate) async fn greeting<G, Greeted, F, Fut, B>(
        protocols: &[&[u8]],
        greet: G,
        answer: F,
    ) -> Self
    where
        G: Fn(TcpStream, usize) -> Greeted + Send + 'static,
        Greeted: Future<Output = Option<TcpStream>> + Send + 'static,
        F: Fn(Received) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response<B>> + Send + 'static,
        B: Answered,
    {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let participant = Participant::on_streams(move |stream, notes| {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            let greeted = greet(stream, notes.connections());
            async move {
                // A caller that does not trust us ends here.
                if let Some(stream) = greeted.await
                    && let Ok(stream) = acceptor.accept(stream).await
                {
                    serve(stream, notes, answer).await;
                }
            }
        })
        .await;
        Self {
            participant,
            certificate: cert.der().to_vec(),
        }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/", self.participant.port())
    }

    async fn called_by(&self, executor: &Executor) -> Outcome {
        made(executor, call(&self.url())).await
    }
}

pub(crate) fn trusting(certificates: Vec<Vec<u8>>) -> Executor {
    Executor::new(ExecutorConfig {
        // Longer than a handshake takes on any machine.
        connect_timeout: Duration::from_secs(20),
        tls_roots: TlsRoots::Der(certificates),
        ..ExecutorConfig::default()
    })
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_offered_and_calls_share_one_connection() {
    let secured = Secured::offering(&[b"h2", b"http/1.1"]).await;
    let executor = trusting(vec![secured.certificate.clone()]);
    assert_eq!(secured.called_by(&executor).await, Outcome::Success);
    let (a, b, c) = tokio::join!(
        secured.called_by(&executor),
        secured.called_by(&executor),
        secured.called_by(&executor)
    );
    assert_eq!([a, b, c], [const { Outcome::Success }; 3]);
    let received = secured.participant.notes.received();
    assert_eq!(received.len(), 4);
    for request in received {
        assert_eq!(request.version, http::Version::HTTP_2);
        assert_eq!(request.headers["seata-gid"], "order-1");
        assert_eq!(request.headers["content-length"], "0");
    }
    assert_eq!(secured.participant.notes.connections(), 1);
}

#[tokio::test]
async fn http_1_is_spoken_where_nothing_else_is_offered() {
    let secured = Secured::offering(&[]).await;
    let executor = trusting(vec![secured.certificate.clone()]);
    assert_eq!(secured.called_by(&executor).await, Outcome::Success);
    let received = secured.participant.notes.received();
    assert_eq!(received[0].version, http::Version::HTTP_11);
}

#[tokio::test]
async fn a_participant_whose_certificate_is_not_trusted_gets_no_request() {
    let (secured, other) = (
        Secured::offering(&[b"h2"]).await,
        Secured::offering(&[b"h2"]).await,
    );
    let executor = trusting(vec![other.certificate]);
    let outcome = secured.called_by(&executor).await;
    assert_eq!(outcome.as_str(), "unknown");
    assert!(
        reason(&outcome).contains("certificate"),
        "{}",
        reason(&outcome)
    );
    assert!(secured.participant.notes.received().is_empty());
}

#[tokio::test]
async fn https_to_a_plain_port_is_unknown_and_says_what_may_be_wrong() {
    let plain = Participant::always(200, "").await;
    let executor = trusting(vec![Secured::offering(&[b"h2"]).await.certificate]);
    for scheme in ["https", "grpcs"] {
        let url = format!("{scheme}://localhost:{}/a.B/C", plain.port());
        let outcome = made(&executor, call(&url)).await;
        assert_eq!(outcome.as_str(), "unknown");
        assert!(
            reason(&outcome).contains("speaks no TLS"),
            "{}",
            reason(&outcome)
        );
        assert!(reason(&outcome).contains("http://"), "{}", reason(&outcome));
    }
    assert!(plain.notes.received().is_empty());
}

#[tokio::test]
async fn without_any_root_https_is_unknown_with_a_clear_reason_and_http_still_works() {
    let secured = Secured::offering(&[b"h2"]).await;
    let plain = Participant::always(200, "").await;
    let executor = trusting(Vec::new());
    let outcome = secured.called_by(&executor).await;
    assert_eq!(outcome.as_str(), "unknown");
    assert!(reason(&outcome).contains("no certificate authority is known"));
    assert_eq!(secured.participant.notes.connections(), 0);
    assert_eq!(made(&executor, call(&plain.url())).await, Outcome::Success);
}
