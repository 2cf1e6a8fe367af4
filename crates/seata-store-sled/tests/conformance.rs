//! The suite on sled.

mod support;

use seata_store_conformance::folder::Folder;

seata_store_conformance::suite!(Folder::<support::InSled>::new());
