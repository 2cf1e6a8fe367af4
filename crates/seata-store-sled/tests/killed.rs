//! Other processes: killed in the middle of their appends, refused at a folder in use, and ended by a disk that fails.

mod support;

seata_store_conformance::folder_suite!(support::InSled);
