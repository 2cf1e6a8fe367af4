//! For tonic: a call from metadata, and the barrier's answers as statuses.

use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::call::only;
use crate::{BarrierError, Call, CallError, Skip};

impl TryFrom<&MetadataMap> for Call {
    type Error = CallError;

    /// Reads a call from the metadata of a gRPC request.
    fn try_from(metadata: &MetadataMap) -> Result<Self, CallError> {
        Self::read(|header| {
            let mut values = metadata.get_all(header).iter();
            let first = values.next().ok_or(CallError::Missing { header })?;
            only(header, values.next())?;
            first.to_str().map_err(|_| CallError::NotText { header })
        })
    }
}

/// `INVALID_ARGUMENT`: to a coordinator that is no refusal.
impl From<CallError> for Status {
    fn from(error: CallError) -> Self {
        Self::invalid_argument(error.to_string())
    }
}

/// `UNAVAILABLE`: nobody knows what happened, so the coordinator asks again.
impl From<BarrierError> for Status {
    fn from(error: BarrierError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl Skip {
    /// Answers what a gRPC method returns: success, or `ABORTED` for a hanging action.
    ///
    /// # Errors
    /// The action came after its compensation.
    pub fn grpc_answer(self) -> Result<(), Status> {
        match self {
            Self::Duplicate | Self::Null => Ok(()),
            Self::Hanging => Err(Status::aborted(self.as_str())),
        }
    }
}
