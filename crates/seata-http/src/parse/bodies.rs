//! The shapes of the bodies that clients send. What a field means and may be is decided in `resolve`.

use serde_json::value::RawValue;

use super::object::object;
use super::values::{Count, List, Pairs, Seconds, Text, Wait};

object! {
    /// A global transaction: of `/api/start`, and of `/api/submit` with all its branches or by gid.
    TransactionBody, "an object with the fields of a transaction", suspect, {
        gid: Text<'a> = "gid";
        mode: Text<'a> = "mode";
        payload: &'a RawValue = "payload";
        payload_base64: Text<'a> = "payload_base64";
        content_type: Text<'a> = "content_type";
        options: OptionsBody<'a> = "options";
        branches: List<BranchBody<'a>> = "branches";
        wait: Wait = "wait";
    }
}

object! {
    /// A branch: in a transaction's list, and of `/api/branch/add`, `/register` and `/try`, where it has a gid.
    BranchBody, "an object with the fields of a branch", refuse, {
        gid: Text<'a> = "gid";
        branch_id: Text<'a> = "branch_id";
        action: Text<'a> = "action";
        compensation: Text<'a> = "compensation" | "compensate";
        confirm: Text<'a> = "confirm";
        cancel: Text<'a> = "cancel";
        payload: &'a RawValue = "payload";
        payload_base64: Text<'a> = "payload_base64";
        content_type: Text<'a> = "content_type";
        after: List<Text<'a>> = "after";
        headers: Pairs<'a> = "headers";
        options: BranchOptionsBody<'a> = "options";
    }
}

object! {
    /// The options of a transaction.
    OptionsBody, "an object of options", refuse, {
        request_timeout: Seconds = "request_timeout_secs";
        retry_interval: Seconds = "retry_interval_secs";
        retry_interval_max: Seconds = "retry_interval_max_secs";
        max_attempts: Count = "max_attempts";
        headers: Pairs<'a> = "headers";
        timeout_to_fail: Seconds = "timeout_to_fail_secs";
        prepared_timeout: Seconds = "prepared_timeout_secs";
        branch_parallelism: Count = "branch_parallelism";
        order: Text<'a> = "order";
    }
}

object! {
    /// The options of a branch.
    BranchOptionsBody, "an object of options of a branch", refuse, {
        request_timeout: Seconds = "request_timeout_secs";
        retry_interval: Seconds = "retry_interval_secs";
        retry_interval_max: Seconds = "retry_interval_max_secs";
        max_attempts: Count = "max_attempts";
        headers: Pairs<'a> = "headers";
    }
}

object! {
    /// An abort.
    AbortBody, "an object with a gid", suspect, {
        gid: Text<'a> = "gid";
        reason: Text<'a> = "reason";
        wait: Wait = "wait";
    }
}

object! {
    /// To confirm or to cancel a branch.
    BranchOrderBody, "an object with a gid and a branch_id", suspect, {
        gid: Text<'a> = "gid";
        branch_id: Text<'a> = "branch_id";
    }
}

object! {
    /// A completion from outside.
    CompletionBody, "an object with a gid and a branch_id", suspect, {
        gid: Text<'a> = "gid";
        branch_id: Text<'a> = "branch_id";
        operation: Text<'a> = "operation";
        reason: Text<'a> = "reason";
    }
}

object! {
    /// An operator's order: it can't be taken back, so nothing in it is stepped over.
    OrderBody, "an object with a reason", refuse, {
        branch_id: Text<'a> = "branch_id";
        operation: Text<'a> = "operation";
        to: Text<'a> = "to";
        reason: Text<'a> = "reason";
    }
}
