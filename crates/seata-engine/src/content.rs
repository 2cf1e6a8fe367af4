//! How many bytes a driver holds for the content of a transaction: an estimate that bounds the memory, not a measure.

use seata_core::{
    BranchDefinition, BranchIndex, Definition, Header, Operation, Payload, Transaction,
};

/// What a driver holds for one transaction beside its content, in bytes: its task, names and options.
pub(crate) const TRANSACTION_BYTES: usize = 4 << 10;

/// What it holds for one branch beside its content, in bytes: its name and the last answers.
const BRANCH_BYTES: usize = 2 << 10;

/// What it holds for a name in `after`, in bytes: the name, and the place in the order among branches that comes of it. A
/// header has as much beside its text.
const NAME_BYTES: usize = 64;

/// Answers what a driver will hold for a transaction as asked for.
pub(crate) fn of_definition(definition: &Definition) -> usize {
    let branches = definition.branches.iter().map(|branch| of_branch(branch));
    TRANSACTION_BYTES
        + of_payload(definition.payload.as_ref())
        + of_headers(&definition.options.headers)
        + branches.sum::<usize>()
}

/// Answers what a driver holds for a transaction.
pub(crate) fn of_transaction(transaction: &Transaction) -> usize {
    TRANSACTION_BYTES + BRANCH_BYTES * transaction.branch_count() + given_of(transaction)
}

/// Answers how much of a transaction was given by requests: payloads, headers, endpoints, and names in `after`.
pub(crate) fn given_of(transaction: &Transaction) -> usize {
    let branches = (0..u32::try_from(transaction.branch_count()).unwrap_or(u32::MAX))
        .filter_map(|at| transaction.branch(BranchIndex(at)))
        .map(|branch| given_of_branch(branch));
    of_payload(transaction.payload())
        + of_headers(&transaction.options().headers)
        + branches.sum::<usize>()
}

/// Answers what a driver holds for a branch.
pub(crate) fn of_branch(branch: &BranchDefinition) -> usize {
    BRANCH_BYTES + given_of_branch(branch)
}

fn given_of_branch(branch: &BranchDefinition) -> usize {
    let endpoints = Operation::ALL
        .into_iter()
        .filter_map(|operation| branch.endpoints.of(operation))
        .map(|endpoint| endpoint.as_str().len());
    of_payload(branch.payload.as_ref())
        + NAME_BYTES * branch.after.len()
        + of_headers(&branch.headers)
        + endpoints.sum::<usize>()
}

fn of_headers(headers: &[Header]) -> usize {
    let each = headers
        .iter()
        .map(|header| NAME_BYTES + header.name.len() + header.value.len());
    each.sum()
}

fn of_payload(payload: Option<&Payload>) -> usize {
    payload.map_or(0, |payload| payload.bytes.len())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use seata_core::{
        BranchId, BranchOptions, Endpoint, Endpoints, Fingerprint, Gid, Mode, Options, Order,
        RetryPolicy, UnixMillis,
    };

    use super::*;

    fn branch(name: &str) -> BranchDefinition {
        let action = Endpoint::parse("http://a/do").unwrap_or_else(|error| panic!("{error}"));
        BranchDefinition {
            branch_id: id(name),
            endpoints: Endpoints::Saga {
                action,
                compensation: None,
            },
            payload: None,
            after: Vec::new(),
            headers: Vec::new(),
            options: BranchOptions::default(),
            fingerprint: Fingerprint::default(),
        }
    }

    fn id(name: &str) -> BranchId {
        BranchId::parse(name).unwrap_or_else(|error| panic!("{error}"))
    }

    fn header(name: &str, value: &str) -> Header {
        Header {
            name: name.into(),
            value: value.into(),
        }
    }

    /// Answers what both sums say of a saga, and how many bytes they say that its last branch has.
    fn weighed(branches: Vec<BranchDefinition>, headers: Vec<Header>) -> (usize, usize) {
        let last = branches.last().map_or(0, of_branch);
        let definition = Definition {
            mode: Mode::Saga,
            branches: branches.into_iter().map(Arc::new).collect(),
            options: Options {
                request_timeout: Duration::from_secs(3),
                retry: RetryPolicy {
                    first: Duration::from_secs(1),
                    max: Duration::from_secs(1),
                    max_attempts: 0,
                },
                timeout_to_fail: None,
                prepared_timeout: Duration::from_secs(35),
                branch_parallelism: 8,
                order: Order::Concurrent,
                attention_attempts: 5,
                headers,
            },
            payload: None,
            fingerprint: Fingerprint::default(),
        };
        let all = of_definition(&definition);
        let created = Transaction::create(Arc::new(definition), UnixMillis(0));
        let created = created.unwrap_or_else(|rejection| panic!("{rejection}"));
        let gid = Gid::parse("g").unwrap_or_else(|error| panic!("{error}"));
        let folded = Transaction::fold(&gid, [&created]);
        let folded = folded.unwrap_or_else(|illegal| panic!("{illegal}"));
        assert_eq!(of_transaction(&folded), all);
        (all, last)
    }

    #[test]
    fn names_in_after_headers_and_endpoints_have_their_weight() {
        let (plain, last) = weighed(vec![branch("a"), branch("b")], Vec::new());
        assert_eq!(last, BRANCH_BYTES + "http://a/do".len());
        let mut behind = branch("b");
        behind.after = vec![id("a")];
        let (ordered, _) = weighed(vec![branch("a"), behind.clone()], Vec::new());
        assert_eq!(ordered, plain + NAME_BYTES);
        behind.headers = vec![header("name", "value")];
        let (with_its_own, _) = weighed(vec![branch("a"), behind.clone()], Vec::new());
        assert_eq!(with_its_own, ordered + NAME_BYTES + 9);
        let headers = vec![header("of", "all"), header("a", "")];
        let (with_all, _) = weighed(vec![branch("a"), behind], headers);
        assert_eq!(with_all, with_its_own + 2 * NAME_BYTES + 6);
    }
}
