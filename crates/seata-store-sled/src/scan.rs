//! Reads the whole store at open: counts all keys, indexes what is open, and finds what was written ahead in vain.

use seata_store::{FencingToken, Revision, StoreError, UnixMillis};
use sled::Db;

use crate::error::corrupt;
use crate::index::{Index, Open};
use crate::layout::{self, Key};
use crate::tally::Tally;

/// The most claims between two starts that are told apart from those of other starts.
const CLAIMS_PER_START: u64 = 1 << 20;

/// What a store holds.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) index: Index,
    /// The tally as it was written. None: nothing was.
    pub(crate) written: Option<Tally>,
    /// The tally of what is there.
    pub(crate) counted: Tally,
    /// Pieces without their head.
    pub(crate) headless: Vec<Vec<u8>>,
    /// When the last append was decided.
    pub(crate) latest: UnixMillis,
    opens: Vec<Open>,
}

/// The record that is being read: as far as its pieces came in order.
struct Reading {
    open: Open,
    /// Which piece of the newest revision comes next, of how many.
    next: u32,
    pieces: u32,
}

pub(crate) fn scan(db: &Db) -> Result<Scan, StoreError> {
    let mut scan = Scan {
        latest: UnixMillis(0),
        ..Scan::default()
    };
    let mut reading: Option<Reading> = None;
    for item in db.iter() {
        let (key, value) = item.map_err(corrupt)?;
        match layout::read_key(&key)? {
            Key::Tally => {
                scan.written = Some(Tally::read(&value)?);
                continue;
            }
            Key::Listed(..) => {}
            Key::Piece(gid, revision, piece) => {
                let same = reading.take_if(|reading| reading.open.header.gid != gid);
                scan.keep(same)?;
                scan.read_piece(&mut reading, &key, (gid, revision, piece), &value)?;
            }
        }
        scan.counted.add(&key);
    }
    scan.keep(reading)?;
    scan.settle();
    Ok(scan)
}

impl Scan {
    fn read_piece(
        &mut self,
        reading: &mut Option<Reading>,
        key: &[u8],
        (gid, revision, piece): (seata_store::Gid, Revision, u32),
        value: &[u8],
    ) -> Result<(), StoreError> {
        if piece == 0 {
            let (head, bytes) = layout::read_head(&gid, value)?;
            let kept = match reading.take() {
                Some(before) => {
                    let follows =
                        before.is_whole() && before.open.header.revision.next() == revision;
                    if !follows || head.first != before.open.first {
                        return Err(broken(&gid));
                    }
                    before.open.bytes
                }
                None if head.first == revision => 0,
                None => return Err(broken(&gid)),
            };
            if head.header.revision != revision {
                return Err(broken(&gid));
            }
            self.latest = self.latest.max(head.header.updated_at);
            *reading = Some(Reading {
                open: Open {
                    header: head.header,
                    first: head.first,
                    bytes: kept + bytes.len(),
                },
                next: 1,
                pieces: head.pieces,
            });
            return Ok(());
        }
        match reading {
            Some(reading) if reading.open.header.revision == revision => {
                if reading.next != piece {
                    return Err(broken(&gid));
                }
                reading.next += 1;
                reading.open.bytes += value.len();
            }
            // Written ahead of a head that never came.
            Some(_) | None => self.headless.push(key.to_vec()),
        }
        Ok(())
    }

    fn keep(&mut self, reading: Option<Reading>) -> Result<(), StoreError> {
        match reading {
            Some(reading) if !reading.is_whole() => Err(broken(&reading.open.header.gid)),
            Some(reading) if !reading.open.header.status.is_final() => {
                self.opens.push(reading.open);
                Ok(())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Indexes what is open. Every lease is void.
    ///
    /// Claims raise tokens in memory alone, so a token above the stored one may have been given out, and calls made under
    /// it that no append tells of. So each start begins with tokens of its own.
    fn settle(&mut self) {
        let starts = self.written.map_or(0, |tally| tally.opens);
        for mut open in self.opens.drain(..) {
            let token = open
                .header
                .token
                .0
                .max(starts.saturating_mul(CLAIMS_PER_START));
            open.header.token = FencingToken(token + 1);
            self.index.put(open);
        }
    }
}

impl Reading {
    fn is_whole(&self) -> bool {
        self.next == self.pieces
    }
}

fn broken(gid: &seata_store::Gid) -> StoreError {
    corrupt(format!("a part of the history of {gid} is missing"))
}
