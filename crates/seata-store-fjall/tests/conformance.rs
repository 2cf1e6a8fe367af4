//! The suite on the embedded store.

mod support;

use seata_store_conformance::folder::Folder;

seata_store_conformance::suite!(Folder::<support::InFjall>::new());
