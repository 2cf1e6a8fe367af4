//! A pipe in which there is no room, and that nobody reads.

use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::process::Stdio;

use rustix::io::ioctl_fionbio;

/// Both of its ends.
pub(crate) struct FullPipe {
    writer: PipeWriter,
    // Without it a writer would be told that nobody will ever read.
    _reader: PipeReader,
}

impl FullPipe {
    pub(crate) fn new() -> Self {
        let (reader, mut writer) = pipe().unwrap();
        ioctl_fionbio(&writer, true).unwrap();
        while writer.write(b"\n").is_ok() {}
        ioctl_fionbio(&writer, false).unwrap();
        Self {
            writer,
            _reader: reader,
        }
    }

    /// Answers its end for a process to write to.
    pub(crate) fn end(&self) -> Stdio {
        self.writer.try_clone().unwrap().into()
    }
}
