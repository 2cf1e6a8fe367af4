//! What the processes that were killed said, and its comparison with what a store holds.

use std::collections::{BTreeMap, BTreeSet};

use seata_store::{Header, ListQuery, PAGE_MAX};

use super::child::How;
use super::*;

/// What is known of a record from what the other processes said.
#[derive(Debug, Default)]
pub(super) struct Said {
    revision: u64,
    replaced: u64,
    token: u64,
    /// Its end was acknowledged.
    ended: bool,
    /// Found ended in a round, so that a later one may purge it.
    ended_in: Option<i64>,
    gone: bool,
}

#[derive(Default)]
pub(super) struct Book(BTreeMap<String, Said>);

impl Book {
    pub(super) fn note(&mut self, line: &str) {
        let mut words = line.split(' ').skip(1);
        let mut next = || words.next();
        // The kill may have cut the line.
        let (Some(name), Some(revision), Some(how), Some(token)) = (next(), next(), next(), next())
        else {
            return;
        };
        let Some((how, _)) = How::ALL.into_iter().find(|(_, word)| *word == how) else {
            return;
        };
        let revision = revision.parse().unwrap();
        let said = self.0.entry(name.to_owned()).or_default();
        said.revision = said.revision.max(revision);
        match how {
            How::Replaces => said.replaced = said.replaced.max(revision),
            How::Ends => said.ended = true,
            // Cut in its middle it is lower, which claims less.
            How::Claims => said.token = said.token.max(token.parse().unwrap_or(0)),
            How::Adds => {}
        }
    }

    /// Takes note that all that ended was purged.
    pub(super) fn purged(&mut self) {
        for said in self.0.values_mut() {
            said.gone |= said.ended_in.is_some();
        }
    }

    /// Answers whether anything was found to be purged.
    pub(super) fn has_gone(&self) -> bool {
        self.0.values().any(|said| said.gone)
    }

    /// Compares all with what the store holds.
    pub(super) async fn compare(&mut self, store: &FjallStore, round: i64) {
        let listed = listed(store).await;
        for name in &listed {
            self.0.entry(name.clone()).or_default();
        }
        for (name, said) in &mut self.0 {
            let stored = store.load(&gid(name)).await.unwrap();
            assert_eq!(stored.is_some(), listed.contains(name), "{name}");
            let Some(stored) = stored else {
                let may_go = said.ended_in.is_some_and(|ended| ended < round);
                assert!(may_go || said.gone, "{name} is gone: {said:?}");
                said.gone = true;
                continue;
            };
            assert!(!said.gone, "{name} came back");
            let history = String::from_utf8(stored.chunks.concat()).unwrap();
            said.check(&stored.header, &history);
            if stored.header.status.is_final() {
                said.ended_in.get_or_insert(round);
            }
        }
    }
}

impl Said {
    fn check(&self, header: &Header, history: &str) {
        let (name, last) = (&header.gid, header.revision.0);
        assert!(last >= self.revision, "{name}: {header:?} {self:?}");
        if self.ended || self.ended_in.is_some() {
            assert!(header.status.is_final(), "{name} is open again: {self:?}");
            assert!(!self.ended || last == self.revision, "{name}: {header:?}");
        } else if !header.status.is_final() {
            assert!(header.token.0 > self.token, "{name}: {header:?} {self:?}");
        }
        let first = match history.strip_prefix('=') {
            Some(rest) => rest.split(';').next().unwrap().parse().unwrap(),
            None => 1,
        };
        assert!(first >= self.replaced, "{name}: {history} {self:?}");
        let rest = (first..=last).map(|revision| format!("{revision};"));
        let whole: String = rest.collect();
        assert_eq!(history.trim_start_matches('='), whole, "{name}");
    }
}

pub(super) async fn listed(store: &FjallStore) -> BTreeSet<String> {
    let (mut names, mut query) = (BTreeSet::new(), ListQuery::newest(PAGE_MAX));
    loop {
        let page = store.list(&query).await.unwrap();
        for header in page.items {
            let fresh = names.insert(header.gid.as_str().to_owned());
            assert!(fresh, "{} is listed twice", header.gid);
        }
        match page.next {
            Some(cursor) => query.behind = Some(cursor),
            None => return names,
        }
    }
}
