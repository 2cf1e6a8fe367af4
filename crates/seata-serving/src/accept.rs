//! Takes the next client, whatever failed before.

use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// How long to wait after an accept failed, as it does when descriptors run out.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Waits for the next client. May be dropped at any time: no client is lost.
pub async fn accepted(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without it answers are only a little later.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) if is_of_one_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted; trying again");
                sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// Says whether only the client that was about to come is concerned.
fn is_of_one_client(error: &io::Error) -> bool {
    [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::Interrupted,
    ]
    .contains(&error.kind())
}
