//! Makes one attempt at one branch over HTTP and answers an outcome.
