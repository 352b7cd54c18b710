//! What the guard and the worker say to each other: one JSON object a message, with open files beside
//! it where something is to be handed over.
//!
//! The two may be of different releases, one step apart: messages and fields are added, never changed
//! or taken away, and whoever does not know a message passes over it.

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

use super::story::Known;

/// The longest message, in bytes. A longer one is a defect of ours, and is not sent.
const LONGEST: usize = 96 * 1024;

/// The longest part of a message that tells what is known of updates, in bytes; the rest is for what stands beside it.
pub const MAX_KNOWN: usize = 80 * 1024;

/// The most files with one message: the listening socket and systemd's credentials.
const MOST_FILES: usize = 64;

/// The most files that the system lets through with one message.
const MAX_FILES_OF_SYSTEM: usize = 253;

/// What the guard tells the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum GuardMessage {
    /// The first message. The listening socket comes with it.
    Start {
        /// The worker is on trial: it serves and stores, and changes nothing outside until
        /// [`GuardMessage::Commit`].
        #[serde(default)]
        trial: bool,
        /// What is known of updates.
        #[serde(default)]
        known: Known,
        /// The settings whose files come after the listening socket, in their order.
        #[serde(default)]
        credentials: Vec<String>,
        /// The settings' file is the guard's to write; see [`WorkerMessage::Configure`].
        #[serde(default)]
        keeps_settings: bool,
    },
    /// What came of [`WorkerMessage::Configure`].
    Configured {
        /// What kept the file from being written, as the system says it: an error number.
        problem: Option<i32>,
        /// What is wrong with the settings themselves, where that is the reason.
        #[serde(default)]
        refused: Option<String>,
    },
    /// What is known of updates has changed.
    Known {
        /// All of it.
        known: Known,
    },
    /// Copy the store; answered by [`WorkerMessage::BackedUp`].
    BackUp,
    /// Begin nothing, and bring what runs to a safe point; answered by [`WorkerMessage::Drained`].
    Drain,
    /// Go on as before [`GuardMessage::Drain`].
    Undrain,
    /// Say how you are; answered by [`WorkerMessage::Probed`].
    Probe {
        /// Which probe.
        nth: u32,
    },
    /// The trial is over: work as ever.
    Commit,
    /// Stop in good order; `at_once`: without waiting for what is in hand.
    Stop {
        /// Whether somebody has asked twice.
        at_once: bool,
    },
    /// Something that a later release says.
    #[serde(other)]
    Unknown,
}

/// What the worker says to the guard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
pub enum WorkerMessage {
    /// Requests are answered from now on.
    Ready {
        /// The worker's version.
        version: String,
    },
    /// The store answers: said every few seconds.
    Alive,
    /// Install this release. Its package comes with it, sealed; see [`seal`].
    Update {
        /// The version that the package is said to be.
        version: String,
        /// Who asked.
        asked_by: String,
        /// Also where the release is older, or was rolled back before: somebody insists. A guard that runs as
        /// another user believes it only where it sees that by itself.
        #[serde(default)]
        insists: bool,
    },
    /// Replace the settings' file by the text that comes with it, sealed; see [`seal`].
    Configure,
    /// Put the release before this one back.
    Return {
        /// Who asked.
        asked_by: String,
    },
    /// The copy of the store is made, or not.
    BackedUp {
        /// What kept it from being made.
        problem: Option<String>,
    },
    /// Nothing runs any more, or what does will not end.
    Drained {
        /// What does not end.
        problem: Option<String>,
    },
    /// How the worker is.
    Probed {
        /// Which probe this answers.
        nth: u32,
        /// The version that answered a request over HTTP.
        version: String,
        /// What is wrong.
        problem: Option<String>,
    },
    /// Something that a later release says.
    #[serde(other)]
    Unknown,
}

/// What nobody can do any more with a file that is handed over.
const SEALS: SealFlags = SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

/// How often it is tried to seal what the system has in its hands for a moment.
const SEALED_AFTER: u32 = 50;

/// Reads to the end, into memory that is sealed: to read it waits for no disk and for no other process, and it stays
/// what it is. A file system of whoever hands it over could keep a reader waiting for ever.
pub fn seal(mut from: impl Read) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let created = match memfd_create("cashout", flags | MemfdFlags::NOEXEC_SEAL) {
        // Linux before 6.3 does not know that it is never to be run.
        Err(Errno::INVAL) => memfd_create("cashout", flags),
        other => other,
    };
    let mut file = File::from(created?);
    // By way of our own memory: what the system copies by itself may be in its hands for a while, and cannot be sealed.
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    file.write_all(&bytes)?;
    file.rewind()?;
    let mut tries = 0_u32;
    while let Err(error) = fcntl_add_seals(&file, SEALS) {
        tries = tries.saturating_add(1);
        if error != Errno::BUSY || tries > SEALED_AFTER {
            return Err(error.into());
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(file)
}

/// True where a file is what [`seal`] makes.
pub fn is_sealed(file: impl AsFd) -> bool {
    fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SEALS))
}

/// The content of what [`seal`] has made. It is read by position: whoever handed it over shares the position of the file,
/// and could hold it.
#[derive(Debug)]
pub struct Contents<'a> {
    file: &'a File,
    at: u64,
}

impl<'a> Contents<'a> {
    /// From the beginning.
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

/// One end of the pair.
#[derive(Debug)]
pub struct Channel(OwnedFd);

impl Channel {
    /// Both ends of a new pair.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(one), Self(other)))
    }

    /// The end that this process was given.
    pub fn of(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// Sends a message and what comes with it. An error where the other end is gone.
    pub fn send(&self, message: &impl Serialize, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        // Nobody is to be killed because the other one is gone.
        self.send_with(message, files, SendFlags::NOSIGNAL)
    }

    /// Sends a message without waiting. An error of kind `WouldBlock` where the other end does not read.
    pub fn send_at_once(&self, message: &impl Serialize, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_with(message, files, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
    }

    fn send_with(&self, message: &impl Serialize, files: &[BorrowedFd<'_>], flags: SendFlags) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        if text.len() > LONGEST || files.len() > MOST_FILES {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the message is too long for the channel"));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(files));
        }
        sendmsg(&self.0, &[IoSlice::new(&text)], &mut control, flags)?;
        Ok(())
    }

    /// Waits for the next message; nothing where the other end is gone. A message that cannot be read
    /// is an error of kind `InvalidData`, and the next one can be waited for.
    pub fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, VecDeque<OwnedFd>)>> {
        let Some((message, files)) = self.receive_anything()? else { return Ok(None) };
        Ok(Some((message?, files)))
    }

    /// The same, with the files also of a message that cannot be read: closing them is for whoever knows how.
    pub fn receive_anything<T: DeserializeOwned>(&self) -> io::Result<Option<(io::Result<T>, VecDeque<OwnedFd>)>> {
        let mut text = vec![0; LONGEST];
        // For all of them: what is not taken is closed by the system, which may wait for it.
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES_OF_SYSTEM))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let mut buffers = [IoSliceMut::new(&mut text)];
            match recvmsg(&self.0, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC) {
                // That the other end has closed with something unread is told once, before what it has said.
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
        let text = text.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a message came cut"));
        let message = text.and_then(|text| {
            serde_json::from_slice(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        });
        Ok(Some((message, files)))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> Self {
        channel.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_cannot_be_changed_and_nothing_else_passes_for_it() {
        let mut file = seal(&b"the archive"[..]).unwrap();
        assert!(is_sealed(&file));
        assert!(file.write_all(b"another").is_err() && file.set_len(1).is_err() && file.set_len(100).is_err());
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "the archive");
        let unsealed = memfd_create("x", MemfdFlags::ALLOW_SEALING).unwrap();
        assert!(!is_sealed(&unsealed));
        fcntl_add_seals(&unsealed, SealFlags::WRITE).unwrap();
        assert!(!is_sealed(&unsealed));
        assert!(!is_sealed(tempfile::tempfile().unwrap()) && !is_sealed(io::pipe().unwrap().0));
    }

    #[test]
    fn a_message_arrives_with_its_file_and_the_end_is_noticed() {
        let (guard, worker) = Channel::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"the archive").unwrap();
        file.rewind().unwrap();
        let start = GuardMessage::Start {
            trial: true,
            known: Known::default(),
            credentials: Vec::new(),
            keeps_settings: false,
        };
        guard.send(&start, &[file.as_fd()]).unwrap();
        guard.send(&GuardMessage::Stop { at_once: true }, &[]).unwrap();
        let (told, mut files) = worker.receive::<GuardMessage>().unwrap().unwrap();
        let mut text = String::new();
        File::from(files.pop_front().unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!((told, text.as_str(), files.len()), (start, "the archive", 0));
        assert_eq!(worker.receive::<GuardMessage>().unwrap().unwrap().0, GuardMessage::Stop { at_once: true });
        drop(guard);
        assert!(worker.receive::<GuardMessage>().unwrap().is_none());
        assert!(worker.send(&WorkerMessage::Alive, &[]).is_err());
    }

    #[test]
    fn what_a_later_release_says_is_passed_over() {
        let (guard, worker) = Channel::pair().unwrap();
        guard.send(&serde_json::json!({ "told": "sing", "song": 1 }), &[]).unwrap();
        guard.send(&serde_json::json!({ "told": "stop", "at_once": false, "why": "new" }), &[]).unwrap();
        guard.send(&"rubbish", &[]).unwrap();
        assert_eq!(worker.receive::<GuardMessage>().unwrap().unwrap().0, GuardMessage::Unknown);
        assert_eq!(worker.receive::<GuardMessage>().unwrap().unwrap().0, GuardMessage::Stop { at_once: false });
        assert_eq!(worker.receive::<GuardMessage>().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn an_end_that_does_not_read_keeps_nobody_waiting() {
        let (guard, worker) = Channel::pair().unwrap();
        let mut told = 0_u32;
        let error = loop {
            match guard.send_at_once(&GuardMessage::Probe { nth: told }, &[]) {
                Ok(()) => told += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        for nth in 0..told {
            assert_eq!(worker.receive::<GuardMessage>().unwrap().unwrap().0, GuardMessage::Probe { nth });
        }
    }

    #[test]
    fn what_is_too_long_is_not_sent() {
        let (guard, _worker) = Channel::pair().unwrap();
        assert!(guard.send(&"x".repeat(LONGEST), &[]).is_err());
    }
}
