//! Counts requests per method and code. Both come from closed sets: never a path, a gid or a client's text.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};
use tonic::Code;

/// The methods, each with its label. The last one stands for whatever is none of ours.
const METHODS: [&str; 19] = [
    "StartGlobal",
    "Submit",
    "Abort",
    "AddBranch",
    "BranchTry",
    "BranchRegister",
    "BranchConfirm",
    "BranchCancel",
    "BranchSucceed",
    "BranchFail",
    "Get",
    "List",
    "ListStream",
    "Events",
    "Watch",
    "Retry",
    "Skip",
    "Force",
    "other",
];

const PREFIX: &str = "/seata.v1.TransactionService/";

/// One of the methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Method(usize);

impl Method {
    /// Finds the method of a path.
    pub(crate) fn of(path: &str) -> Self {
        let other = METHODS.len() - 1;
        let name = path.strip_prefix(PREFIX);
        let at = name.and_then(|name| METHODS[..other].iter().position(|known| *known == name));
        Self(at.unwrap_or(other))
    }

    pub(crate) const fn name(self) -> &'static str {
        METHODS[self.0]
    }
}

/// The codes of gRPC, by their numbers.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

struct MethodMeters {
    seconds: Histogram,
    requests: [OnceLock<Counter>; CODES.len()],
}

/// Handles, each made when it is first needed, so that only what happened is shown.
pub(crate) struct Meters {
    methods: [OnceLock<MethodMeters>; METHODS.len()],
}

impl Meters {
    pub(crate) fn new() -> Self {
        Self {
            methods: [const { OnceLock::new() }; METHODS.len()],
        }
    }

    /// Notes how long it took until the answer began.
    pub(crate) fn begun(&self, method: Method, took: Duration) {
        self.of(method).seconds.record(took.as_secs_f64());
    }

    /// Notes how it ended.
    pub(crate) fn ended(&self, method: Method, code: Code) {
        let at = usize::try_from(i32::from(code)).unwrap_or(CODES.len());
        let Some(label) = CODES.get(at) else { return };
        self.of(method).requests[at]
            .get_or_init(|| counter!("seata_grpc_requests_total", "method" => method.name(), "code" => *label))
            .increment(1);
    }

    fn of(&self, method: Method) -> &MethodMeters {
        self.methods[method.0].get_or_init(|| MethodMeters {
            seconds: histogram!("seata_grpc_request_seconds", "method" => method.name()),
            requests: [const { OnceLock::new() }; CODES.len()],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_from_a_closed_set() {
        assert_eq!(Method::of("/seata.v1.TransactionService/Get").name(), "Get");
        for other in [
            "",
            "/",
            "/seata.v1.TransactionService/other",
            "/seata.v1.TransactionService/get",
            "/x.Y/Get",
        ] {
            assert_eq!(Method::of(other).name(), "other", "{other}");
        }
    }

    #[test]
    fn every_code_has_its_name() {
        assert_eq!(
            CODES[i32::from(Code::FailedPrecondition) as usize],
            "FAILED_PRECONDITION"
        );
        assert_eq!(
            CODES[i32::from(Code::Unauthenticated) as usize],
            "UNAUTHENTICATED"
        );
    }
}
