//! Reads the few values of the server's `/metrics` that the report needs, from Prometheus' text.

/// Adds all samples of a name whose labels hold a text; nothing if there is no such sample.
pub(crate) fn sum(text: &str, name: &str, labels: &str) -> Option<f64> {
    text.lines()
        .filter_map(|line| sample(line, name, labels))
        .reduce(|one, other| one + other)
}

fn sample(line: &str, name: &str, labels: &str) -> Option<f64> {
    let rest = line.strip_prefix(name)?;
    let (found, value) = match rest.strip_prefix('{') {
        Some(rest) => rest.rsplit_once('}')?,
        None => ("", rest),
    };
    if !(value.starts_with(' ') && found.contains(labels)) {
        return None;
    }
    value.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# TYPE seata_transactions_total counter
seata_transactions_total{mode=\"saga\",status=\"COMMITTED\"} 7
seata_transactions_total{mode=\"tcc\",status=\"COMMITTED\"} 2
seata_transactions_total{mode=\"saga\",status=\"ABORTED\"} 1

# TYPE seata_store_append_batch_size histogram
seata_store_append_batch_size_bucket{le=\"1\"} 3
seata_store_append_batch_size_sum 18
seata_store_append_batch_size_count 4
seata_active_transactions 0
seata_active_transactions_max 9
";

    #[test]
    fn a_value_is_read_by_its_name_and_labels() {
        let committed = "status=\"COMMITTED\"";
        assert_eq!(sum(TEXT, "seata_transactions_total", committed), Some(9.0));
        assert_eq!(sum(TEXT, "seata_transactions_total", ""), Some(10.0));
        assert_eq!(
            sum(TEXT, "seata_store_append_batch_size_sum", ""),
            Some(18.0)
        );
        assert_eq!(
            sum(TEXT, "seata_store_append_batch_size_count", ""),
            Some(4.0)
        );
    }

    #[test]
    fn a_longer_name_is_another_and_a_missing_one_is_nothing() {
        assert_eq!(sum(TEXT, "seata_active_transactions", ""), Some(0.0));
        assert_eq!(sum(TEXT, "seata_store_append_batch_size", ""), None);
        assert_eq!(sum(TEXT, "seata_nothing", ""), None);
    }
}
