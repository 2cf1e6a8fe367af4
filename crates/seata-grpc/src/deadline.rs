//! The time that a client gives its request: after it nobody waits for the answer any more.

use std::future::Future;
use std::time::Duration;

use http::{HeaderMap, HeaderName, Response};
use tonic::Status;
use tonic::body::Body;

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The most digits of a time, as gRPC defines it.
const DIGITS_MAX: usize = 8;

/// Reads how long the client waits. Of a time that can't be read the client alone knows when it is over.
pub(crate) fn of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > DIGITS_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// Waits for an answer as long as the client does.
pub(crate) async fn within<E>(
    deadline: Option<Duration>,
    answering: impl Future<Output = Result<Response<Body>, E>>,
) -> Result<Response<Body>, E> {
    let Some(deadline) = deadline else {
        return answering.await;
    };
    let answer = tokio::time::timeout(deadline, answering).await;
    answer.unwrap_or_else(|_| {
        let status = Status::deadline_exceeded("the client's deadline is over");
        Ok(status.into_http())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::convert::Infallible;
    use std::future::{pending, ready};

    use futures_util::FutureExt;
    use tonic::Code;

    use super::*;

    fn read(text: &'static str) -> Option<Duration> {
        of(&HeaderMap::from_iter([(
            GRPC_TIMEOUT,
            text.parse().unwrap(),
        )]))
    }

    #[test]
    fn a_deadline_is_digits_and_a_unit() {
        for (text, millis) in [
            ("1H", 3_600_000),
            ("2M", 120_000),
            ("3S", 3_000),
            ("45m", 45),
            ("6000u", 6),
            ("07000000n", 7),
        ] {
            assert_eq!(read(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(
            read("99999999H"),
            Some(Duration::from_secs(359_999_996_400))
        );
        for none in [
            "",
            "S",
            "5",
            "+5S",
            "-5S",
            "5s",
            "5 S",
            "123456789S",
            "5\u{e9}",
        ] {
            assert_eq!(read(none), None, "{none:?}");
        }
        assert_eq!(of(&HeaderMap::new()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_given_up_when_its_deadline_is_over() {
        let code = async |deadline, answering| {
            let answer: Result<_, Infallible> = within(deadline, answering).await;
            Status::from_header_map(answer.unwrap().headers())
                .unwrap()
                .code()
        };
        let day = Some(Duration::from_secs(86_400));
        assert_eq!(code(day, pending().boxed()).await, Code::DeadlineExceeded);
        let at_once = || ready(Ok(Status::ok("").into_http())).boxed();
        assert_eq!(code(day, at_once()).await, Code::Ok);
        assert_eq!(code(None, at_once()).await, Code::Ok);
    }
}
