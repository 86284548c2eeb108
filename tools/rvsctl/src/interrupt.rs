// SPDX-License-Identifier: GPL-2.0-only
//! Waiting that ends when the process is asked to end: by ^C, a closed terminal or a service manager.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Why waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// What was waited for is there.
    Ready,
    /// The process was asked to end.
    Interrupted,
    /// The time is over.
    TimeOver,
}

/// Notices signals that ask the process to end, instead of dying of them.
pub struct Interrupt {
    received: UnixStream,
}

impl Interrupt {
    /// From now on, to the end of the process.
    pub fn catch() -> io::Result<Self> {
        let (received, raised) = UnixStream::pair()?;
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            signal_hook::low_level::pipe::register(signal, raised.try_clone()?)?;
        }
        Ok(Self { received })
    }

    /// Waits until something can be read from `fd`.
    pub fn wait(&self, fd: &impl AsFd, deadline: Option<Instant>) -> io::Result<Wake> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = left.map(|left| {
                Timespec::try_from(left).unwrap_or(Timespec {
                    tv_sec: i64::MAX,
                    tv_nsec: 0,
                })
            });
            let mut fds = [
                PollFd::new(&self.received, PollFlags::IN),
                PollFd::new(fd, PollFlags::IN),
            ];
            match poll(&mut fds, left.as_ref()) {
                Ok(0) => return Ok(Wake::TimeOver),
                Ok(_) if fds[0].revents().is_empty() => return Ok(Wake::Ready),
                Ok(_) => return Ok(Wake::Interrupted),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;

    /// One test, because a signal reaches everybody who catches it.
    #[test]
    fn waiting_ends_with_something_to_read_with_its_time_and_with_a_signal() {
        let interrupt = Interrupt::catch().unwrap();
        let (here, mut there) = UnixStream::pair().unwrap();
        let soon = Some(Instant::now() + Duration::from_millis(10));
        assert_eq!(interrupt.wait(&here, soon).unwrap(), Wake::TimeOver);
        there.write_all(b"x").unwrap();
        assert_eq!(interrupt.wait(&here, None).unwrap(), Wake::Ready);
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert_eq!(interrupt.wait(&here, None).unwrap(), Wake::Interrupted);
    }
}
