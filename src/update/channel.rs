//! Messages between the guard and the worker: one JSON object per message, with open files attached if something is
//! handed over.
//!
//! The two may be of different releases, one step apart. So messages and fields are added, never changed or removed,
//! and a side ignores a message that it does not know.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::status::UpdateStatus;

/// Upper bound on the length of a message, in bytes. A longer message is a defect of this program and is not sent.
const MAX_LENGTH: usize = 96 * 1024;

/// Upper bound on the part of a message with the state of updates, in bytes; the rest is for the other fields.
pub const MAX_KNOWN: usize = 80 * 1024;

/// Upper bound on the files sent with one message: the listening socket and systemd's credentials.
const MAX_FILES: usize = 64;

/// Upper bound on the files that the system passes with one message.
const MAX_FILES_OF_SYSTEM: usize = 253;

/// A message from the guard to the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum GuardMessage {
    /// The first message, with the listening socket attached.
    Start {
        /// On trial: the worker serves and stores, and changes nothing outside until [`GuardMessage::Commit`].
        #[serde(default)]
        trial: bool,
        /// State of updates.
        #[serde(default)]
        known: UpdateStatus,
        /// Names of the settings whose files follow the listening socket, in the order of the files.
        #[serde(default)]
        credentials: Vec<String>,
        /// Set if the guard is the one that writes the settings file; see [`WorkerMessage::Configure`].
        #[serde(default)]
        keeps_settings: bool,
    },
    /// Answer to [`WorkerMessage::Configure`].
    Configured {
        /// Error number of the system, if the file was not written.
        problem: Option<i32>,
        /// Reason why the settings themselves were refused, if they were.
        #[serde(default)]
        refused: Option<String>,
    },
    /// Change of the state of updates.
    Known {
        /// The whole new state.
        known: UpdateStatus,
    },
    /// Request to copy the store; answered by [`WorkerMessage::BackedUp`].
    BackUp,
    /// Request to begin nothing and to bring running work to a safe point; answered by [`WorkerMessage::Drained`].
    Drain,
    /// Request to go on as before [`GuardMessage::Drain`].
    Undrain,
    /// Request for the worker's health; answered by [`WorkerMessage::Probed`].
    Probe {
        /// Number of the probe.
        nth: u32,
    },
    /// End of the trial: the worker works as usual from now on.
    Commit,
    /// Request for an orderly stop, or with `at_once` for a stop that does not wait for running work.
    Stop {
        /// Set if the stop is requested for the second time.
        at_once: bool,
    },
    /// A message of a later release.
    #[serde(other)]
    Unknown,
}

/// A message from the worker to the guard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
pub enum WorkerMessage {
    /// Notice that requests are answered from now on.
    Ready {
        /// Version of the worker.
        version: String,
    },
    /// Notice that the store responds, sent every few seconds.
    Alive,
    /// Request to install a release. Its package is attached, sealed; see [`seal`].
    Update {
        /// Version that the package is claimed to be.
        version: String,
        /// Origin of the request: a login, `command line` or `auto`.
        asked_by: String,
        /// Set if someone insists on the release, even if it is older or was rolled back before. A guard that runs as
        /// another user believes it only if it sees the insistence itself.
        #[serde(default)]
        insists: bool,
    },
    /// Request to replace the settings file by the attached text, sealed; see [`seal`].
    Configure,
    /// Request to put the previous release back.
    Return {
        /// Origin of the request: a login, `command line` or `auto`.
        asked_by: String,
    },
    /// Answer to [`GuardMessage::BackUp`].
    BackedUp {
        /// Reason why the copy could not be made, if it could not.
        problem: Option<String>,
    },
    /// Answer to [`GuardMessage::Drain`]: nothing runs any more, or something does not end.
    Drained {
        /// Work that does not end, if any.
        problem: Option<String>,
    },
    /// Answer to [`GuardMessage::Probe`].
    Probed {
        /// Number of the probe that this answers.
        nth: u32,
        /// The version that answered a request over HTTP.
        version: String,
        /// Problem that the probe found, if any.
        problem: Option<String>,
    },
    /// A message of a later release.
    #[serde(other)]
    Unknown,
}

/// Seals of a file that is handed over: its content and its size are fixed, and no further seal can be added.
const SEALS: SealFlags = SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

/// Upper bound on the retries to seal memory that the system still uses for a moment.
const MAX_SEAL_TRIES: u32 = 50;

/// Copies everything from a reader into sealed memory. Reading it waits for no disk and no other process, and its
/// content cannot change. A file on a file system of the sender could keep a reader waiting forever.
pub fn seal(mut from: impl Read) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let created = match memfd_create("cashout", flags | MemfdFlags::NOEXEC_SEAL) {
        // Linux before 6.3 does not know the flag that forbids execution.
        Err(Errno::INVAL) => memfd_create("cashout", flags),
        other => other,
    };
    let mut file = File::from(created?);
    // Goes through our own memory: memory that the system copies into by itself may stay in use for a while, and cannot
    // be sealed then.
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    file.write_all(&bytes)?;
    file.rewind()?;
    let mut tries = 0_u32;
    while let Err(error) = fcntl_add_seals(&file, SEALS) {
        tries = tries.saturating_add(1);
        if error != Errno::BUSY || tries > MAX_SEAL_TRIES {
            return Err(error.into());
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(file)
}

/// Returns true if a file is sealed as [`seal`] seals it.
pub fn is_sealed(file: impl AsFd) -> bool {
    fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SEALS))
}

/// The content of a file made by [`seal`]. It is read by position: the sender shares the file's offset, and could block
/// it.
#[derive(Debug)]
pub struct Contents<'a> {
    file: &'a File,
    at: u64,
}

impl<'a> Contents<'a> {
    /// Returns a reader that starts at the beginning of `file`.
    pub fn of(file: &'a File) -> Self {
        Self { file, at: 0 }
    }
}

impl Read for Contents<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at = self.at.saturating_add(u64::try_from(count).unwrap_or_default());
        Ok(count)
    }
}

/// One end of a pair of sockets.
#[derive(Debug)]
pub struct GuardChannel(OwnedFd);

impl GuardChannel {
    /// Creates a pair of connected ends.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(one), Self(other)))
    }

    /// Wraps the end that this process was given.
    pub fn of(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// Sends a message with its files. Fails if the other end is gone.
    pub fn send(&self, message: &impl Serialize, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        // The sender must not be killed by a signal because the other end is gone.
        self.send_with(message, files, SendFlags::NOSIGNAL)
    }

    /// Sends a message without waiting. Fails with `WouldBlock` if the other end does not read.
    pub fn send_at_once(&self, message: &impl Serialize, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_with(message, files, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
    }

    fn send_with(&self, message: &impl Serialize, files: &[BorrowedFd<'_>], flags: SendFlags) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        if text.len() > MAX_LENGTH || files.len() > MAX_FILES {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the message is too long for the channel"));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(files));
        }
        sendmsg(&self.0, &[IoSlice::new(&text)], &mut control, flags)?;
        Ok(())
    }

    /// Waits for the next message, and returns it with its files; `None` if the other end is gone. A message that
    /// cannot be read is an error of kind `InvalidData`, after which the next one can be awaited.
    pub fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, VecDeque<OwnedFd>)>> {
        let Some((message, files)) = self.receive_or_files()? else { return Ok(None) };
        Ok(Some((message?, files)))
    }

    /// Waits like [`GuardChannel::receive`], and also returns the files of a message that cannot be read, so that the caller
    /// can decide how to close them.
    pub fn receive_or_files<T: DeserializeOwned>(&self) -> io::Result<Option<(io::Result<T>, VecDeque<OwnedFd>)>> {
        let mut text = vec![0; MAX_LENGTH];
        // There is space for all of them: the system closes files that are not received, and may block in that.
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES_OF_SYSTEM))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let mut buffers = [IoSliceMut::new(&mut text)];
            match recvmsg(&self.0, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC) {
                // The other end has closed with something unread. The system reports this once, before the last
                // messages.
                Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNRESET) => {}
                other => break other?,
            }
        };
        let mut files = VecDeque::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                files.extend(descriptors);
            }
        }
        if received.bytes == 0 {
            return Ok(None);
        }
        let whole = !received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
        let text = text.get(..received.bytes).filter(|_| whole);
        let text = text.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a message was truncated"));
        let message = text.and_then(|text| {
            serde_json::from_slice(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        });
        Ok(Some((message, files)))
    }
}

impl AsFd for GuardChannel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<GuardChannel> for OwnedFd {
    fn from(channel: GuardChannel) -> Self {
        channel.0
    }
}

#[cfg(test)]
mod tests;
