// SPDX-License-Identifier: GPL-2.0-only

//! At which ports FTP is understood: those that the module's parameter names
//! (reference §5.6). What is said there is not known here.

use crate::sys::parameters::{self, MAX_FTP_PORTS};
use kernel::prelude::*;

/// A port at which FTP is understood, as its place among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FtpPort(u8);

impl FtpPort {
    /// How many there are at most.
    pub const MAX: usize = MAX_FTP_PORTS;

    /// Which one a port is, if it is one.
    #[inline]
    pub fn of(port: u16) -> Option<Self> {
        let mut ports = parameters::ftp_ports().iter();
        let index = ports.position(|it| *it == port && port != 0)?;
        Some(Self(index as u8))
    }

    /// The first one, or the first behind another.
    pub fn after(before: Option<Self>) -> Option<Self> {
        let next = before.map_or(0, |before| before.index().saturating_add(1));
        let mut ports = parameters::ftp_ports().iter().skip(next);
        Self::of(*ports.find(|port| **port != 0)?)
    }

    /// Its number.
    pub fn number(self) -> u16 {
        let ports = parameters::ftp_ports();
        ports.get(self.index()).copied().unwrap_or_default()
    }

    /// Its place, less than [`FtpPort::MAX`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Refuses parameters that name a port twice, with a word in the kernel's log.
    pub fn check() -> Result {
        let ports = parameters::ftp_ports();
        for (index, port) in ports.iter().enumerate() {
            if *port != 0 && ports.iter().take(index).any(|other| other == port) {
                pr_err!("ftp_ports names port {port} twice\n");
                return Err(EINVAL);
            }
        }
        Ok(())
    }
}
