//! Which operation is asked for: read from the headers or the metadata that the coordinator sends with each call.

use http::HeaderMap;
use seata_core::{BranchId, Gid, IdError, Operation};

/// The headers of a call, by the names of the protocol. Metadata of gRPC bear the same names.
const GID: &str = "seata-gid";
const BRANCH_ID: &str = "seata-branch-id";
const OPERATION: &str = "seata-operation";

/// One operation of one branch of one global transaction: the key of a claim.
///
/// It is the same for each delivery of that operation. The attempt is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Call {
    /// The global transaction.
    pub gid: Gid,
    /// The branch, which is this participant's part.
    pub branch_id: BranchId,
    /// What the branch is asked to do.
    pub operation: Operation,
}

/// Says why a request is no call of a coordinator.
///
/// Answer it with 400: to a coordinator that is no refusal, so it will ask again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// A header is missing.
    #[error("the header {header} is missing: a coordinator sends it with each call")]
    Missing {
        /// Its name.
        header: &'static str,
    },
    /// A header is there more than once, so that it doesn't say which operation is meant.
    #[error("the header {header} is there more than once: send it once")]
    Repeated {
        /// Its name.
        header: &'static str,
    },
    /// A header is not text.
    #[error("the header {header} holds bytes that are not printable ASCII")]
    NotText {
        /// Its name.
        header: &'static str,
    },
    /// An id has no legal form.
    #[error("the header {header} is no id: {error}")]
    Id {
        /// Its name.
        header: &'static str,
        /// What is wrong with it.
        #[source]
        error: IdError,
    },
    /// Nobody knows this operation.
    #[error(
        "the header seata-operation is {found:?}: allowed are action, compensation, try, confirm and cancel"
    )]
    Operation {
        /// What it says.
        found: String,
    },
}

impl TryFrom<&HeaderMap> for Call {
    type Error = CallError;

    /// Reads a call from the headers of an HTTP request.
    fn try_from(headers: &HeaderMap) -> Result<Self, CallError> {
        Self::read(|header| {
            let mut values = headers.get_all(header).iter();
            let first = values.next().ok_or(CallError::Missing { header })?;
            only(header, values.next())?;
            first.to_str().map_err(|_| CallError::NotText { header })
        })
    }
}

impl Call {
    /// Reads a call from whatever answers the one value of a header.
    pub(crate) fn read<'h>(
        value: impl Fn(&'static str) -> Result<&'h str, CallError>,
    ) -> Result<Self, CallError> {
        let id = |header| move |error| CallError::Id { header, error };
        let operation = value(OPERATION)?;
        Ok(Self {
            gid: Gid::parse(value(GID)?).map_err(id(GID))?,
            branch_id: BranchId::parse(value(BRANCH_ID)?).map_err(id(BRANCH_ID))?,
            operation: Operation::parse(operation).ok_or_else(|| CallError::Operation {
                found: operation.chars().take(FOUND_CHARS_MAX).collect(),
            })?,
        })
    }
}

/// How much of an unknown operation an error repeats, in characters.
const FOUND_CHARS_MAX: usize = 32;

/// Refuses a second value.
pub(crate) fn only<V>(header: &'static str, second: Option<V>) -> Result<(), CallError> {
    second.map_or(Ok(()), |_| Err(CallError::Repeated { header }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Call, CallError> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = value
                .parse()
                .map_err(|_| CallError::NotText { header: name })?;
            headers.append(*name, value);
        }
        Call::try_from(&headers)
    }

    #[test]
    fn a_call_is_read_from_its_headers() {
        for operation in Operation::ALL {
            let call = read(&[
                (GID, "order-17"),
                (BRANCH_ID, "payment"),
                (OPERATION, operation.as_str()),
            ]);
            let call = call.map(|call| {
                (
                    call.gid.to_string(),
                    call.branch_id.to_string(),
                    call.operation,
                )
            });
            assert_eq!(call, Ok(("order-17".into(), "payment".into(), operation)));
        }
    }

    #[test]
    fn a_request_that_does_not_say_which_operation_is_meant_is_no_call() {
        let gid = (GID, "g");
        let branch = (BRANCH_ID, "b");
        let operation = (OPERATION, "action");
        let missing = |header| Err(CallError::Missing { header });
        assert_eq!(read(&[branch, operation]), missing(GID));
        assert_eq!(read(&[gid, operation]), missing(BRANCH_ID));
        assert_eq!(read(&[gid, branch]), missing(OPERATION));
        assert_eq!(
            read(&[gid, branch, operation, (OPERATION, "compensation")]),
            Err(CallError::Repeated { header: OPERATION })
        );
        assert_eq!(
            read(&[gid, branch, (OPERATION, "Action")]),
            Err(CallError::Operation {
                found: "Action".into()
            })
        );
        assert!(matches!(
            read(&[(GID, "a b"), branch, operation]),
            Err(CallError::Id { header: GID, .. })
        ));
        assert!(matches!(
            read(&[gid, (BRANCH_ID, ""), operation]),
            Err(CallError::Id {
                header: BRANCH_ID,
                ..
            })
        ));
        assert_eq!(
            read(&[gid, branch, (OPERATION, "\u{e4}ction")]),
            Err(CallError::NotText { header: OPERATION })
        );
    }
}
