//! The contract on MySQL: who does what, and nothing else.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Gid, Header, Held, ListQuery, Migrated, Owner,
    Page, StoreError, StoreLimits, Stored, TxnStore, UnixMillis,
};

use crate::connection::Pool;
use crate::open::{self, Bounds, Limit};
use crate::options::MysqlOptions;
use crate::purge::Place;
use crate::{append, lease, migrate, purge, read, renew};

/// Keeps transactions in one database that others may share. Clones are one store, with one set of connections.
#[derive(Clone)]
pub struct MysqlStore {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) pool: Pool,
    pub(crate) bounds: Bounds,
    pub(crate) place: Place,
}

impl MysqlStore {
    /// Connects, reads the server's settings, and brings the tables up to date where the options say so.
    ///
    /// # Errors
    /// `Unavailable`: the server can't be reached. `Invalid`: address, credentials, settings, tables or the shard are
    /// wrong; the text says what to change, and holds no password.
    pub async fn open(options: MysqlOptions) -> Result<Self, StoreError> {
        let inner = open::open(&options).await?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Brings the tables up to date, whatever the options say of that, and does nothing else.
    ///
    /// # Errors
    /// As [`MysqlStore::open`].
    pub async fn migrate(options: &MysqlOptions) -> Result<Migrated, StoreError> {
        let connect = open::parse(&options.address)?;
        migrate::migrate(&Limit::new(&connect, options)).await
    }

    #[cfg(test)]
    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }
}

impl Debug for MysqlStore {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl TxnStore for MysqlStore {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        append::append(&self.inner.pool, &self.inner.bounds, &batch).await
    }

    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        read::load(&self.inner.pool, gid).await
    }

    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        lease::claim_due(&self.inner.pool, owner, lasts, limit).await
    }

    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        renew::renew(&self.inner.pool, held, lasts).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        read::list(&self.inner.pool, query).await
    }

    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        purge::purge(&self.inner.pool, &self.inner.place, ended_before, limit).await
    }

    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        read::ping(&self.inner.pool).await
    }

    fn limits(&self) -> StoreLimits {
        self.inner.bounds.limits
    }
}
