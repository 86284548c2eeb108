// SPDX-License-Identifier: GPL-2.0-only

//! What only few connections have, so that the others need not pay for it.

use crate::app::ftp::Passive;
use core::sync::atomic::{AtomicU8, Ordering};

/// What a connection has besides what all have.
pub enum Extension {
    /// A control connection of FTP, whose words announce data connections.
    Ftp(FtpControl),
}

/// What was said last on a control connection of FTP about the data connection to come.
#[derive(Default)]
pub struct FtpControl(AtomicU8);

const PLAIN: u8 = 1;
const EXTENDED: u8 = 2;

impl FtpControl {
    /// How the server was asked to listen, if it was; its reply may come more than once.
    pub fn asked(&self) -> Option<Passive> {
        match self.0.load(Ordering::Relaxed) {
            PLAIN => Some(Passive::Plain),
            EXTENDED => Some(Passive::Extended),
            _ => None,
        }
    }

    /// Notes how the server is asked to listen; `None` if the client listens.
    pub fn ask(&self, passive: Option<Passive>) {
        let number = match passive {
            Some(Passive::Plain) => PLAIN,
            Some(Passive::Extended) => EXTENDED,
            None => 0,
        };
        self.0.store(number, Ordering::Relaxed);
    }
}
