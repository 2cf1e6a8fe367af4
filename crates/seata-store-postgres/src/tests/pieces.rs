//! How a batch is cut, which needs no server.

use super::*;
use crate::store::limits;
use crate::support::{creation, following};

fn cut(batch: &[Append], mixed: Mixed, limits: StoreLimits) -> Vec<Vec<&str>> {
    let names = |piece: Vec<usize>| piece.into_iter().map(|at| batch[at].gid.as_str()).collect();
    let pieces = pieces(batch, mixed, limits).into_iter();
    pieces.map(names).collect()
}

fn batch() -> Vec<Append> {
    vec![
        creation("d", 1),
        following("c", 1, "more"),
        creation("a", 1),
        following("b", 1, "more"),
    ]
}

#[test]
fn one_piece_is_in_the_order_of_gids() {
    let whole = vec![vec!["a", "b", "c", "d"]];
    assert_eq!(cut(&batch(), Mixed::InOne, limits(16)), whole);
}

#[test]
fn moves_and_creations_go_apart_where_the_server_wants_it() {
    let apart = vec![vec!["b", "c"], vec!["a", "d"]];
    assert_eq!(cut(&batch(), Mixed::Apart, limits(16)), apart);
}

#[test]
fn pieces_keep_to_count_and_bytes_and_no_gid_comes_twice() {
    let twos = StoreLimits {
        batch_count_max: 2,
        ..limits(16)
    };
    assert_eq!(
        cut(&batch(), Mixed::InOne, twos),
        vec![vec!["a", "b"], vec!["c", "d"]]
    );
    let bytes = StoreLimits {
        batch_bytes_max: 7,
        ..limits(16)
    };
    assert_eq!(
        cut(&batch(), Mixed::InOne, bytes),
        vec![vec!["a", "b"], vec!["c", "d"]]
    );
    let twice = [batch(), batch()].concat();
    for piece in cut(&twice, Mixed::InOne, limits(16)) {
        assert!(piece.is_sorted_by(|a, b| a < b), "{piece:?}");
    }
}
