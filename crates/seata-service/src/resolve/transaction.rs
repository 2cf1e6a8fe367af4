//! Whole transactions.

use std::sync::Arc;

use seata_core::{Definition, Gid, Mode, UnixMillis};
use uuid::Uuid;

use super::branch::branch;
use super::endpoints::Joining;
use super::options::options;
use super::payload::payload;
use crate::content::{Content, Part};
use crate::path::Path;
use crate::problem::Problem;
use crate::request::TransactionRequest;
use crate::rules::Rules;

/// Who chose a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// The client, who can ask by it.
    Client,
    /// This server: unless the request may have been accepted, nobody needs to know the name.
    Server,
}

/// A transaction as asked for, with its name.
#[derive(Debug, Clone)]
pub struct Whole {
    /// Its name.
    pub gid: Gid,
    /// Who chose it.
    pub named_by: NamedBy,
    /// All that was asked, checked.
    pub definition: Arc<Definition>,
}

impl TransactionRequest<'_> {
    /// Reads a whole transaction. Without a gid it gets one that is ordered by time.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn resolve(self, rules: &Rules, now: UnixMillis) -> Result<Whole, Problem> {
        let (gid, named_by) = match &self.gid {
            Some(text) => (super::gid(text)?, NamedBy::Client),
            None => (new_gid(now), NamedBy::Server),
        };
        let mode = self.mode.unwrap_or(Mode::Saga);
        let mut content = Content::new();
        content.put(Part::Mode, mode.as_str().as_bytes());
        let bytes_max = rules.limits.payload_bytes_max;
        let payload = payload(Path::Body, self.payload, bytes_max, &mut content)?;
        let options = options(
            Path::Body.key("options"),
            self.options.unwrap_or_default(),
            mode,
            &rules.defaults,
            &mut content,
        )?;
        let list = Path::Body.key("branches");
        let branches = self.branches.unwrap_or_default();
        let branches = branches
            .into_iter()
            .enumerate()
            .map(|(at, asked)| branch(list.item(at), asked, Joining::listed(mode), rules))
            .collect::<Result<Vec<_>, _>>()?;
        for branch in &branches {
            content.put(Part::Branch, &branch.fingerprint.0);
        }
        let definition = Definition {
            mode,
            branches,
            options,
            payload,
            fingerprint: content.finish(),
        };
        Ok(Whole {
            gid,
            named_by,
            definition: Arc::new(definition),
        })
    }
}

/// Makes a UUID of version 7 by the store's clock, as 36 characters.
fn new_gid(now: UnixMillis) -> Gid {
    let secs = u64::try_from(now.0.div_euclid(1000)).unwrap_or(0);
    let ms = u32::try_from(now.0.rem_euclid(1000)).unwrap_or(0);
    let time = uuid::Timestamp::from_unix(uuid::NoContext, secs, ms * 1_000_000);
    let mut buffer = Uuid::encode_buffer();
    let text = Uuid::new_v7(time).hyphenated().encode_lower(&mut buffer);
    Gid::parse(text).expect("invariant: a UUID is a gid")
}
