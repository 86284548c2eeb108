// SPDX-License-Identifier: GPL-2.0-only
//! The generic netlink socket, and the seam at which tests put a kernel of their own.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::{protocols::NETLINK_GENERIC, Socket, SocketAddr};

/// The kernel sends dumps in pieces of at most 32 KiB when the reader has room for them.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// Something that takes requests and gives answers, a datagram each.
pub trait Transport {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;
    /// Waits for the next datagram.
    fn receive(&mut self) -> io::Result<Vec<u8>>;
}

/// A socket to the kernel in the network namespace of the calling thread.
pub struct KernelSocket {
    socket: Socket,
    buffer: Vec<u8>,
}

impl KernelSocket {
    /// Opens the socket with extended acknowledgements on.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        Ok(Self {
            socket,
            buffer: vec![0; RECEIVE_BUFFER],
        })
    }
}

/// Room for events that this program has not read yet, as far as the system allows.
const LISTENING_BUFFER: i32 = 4 << 20;

impl KernelSocket {
    /// Opens a socket to listen with.
    pub fn listening() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.set_rx_buf_sz(LISTENING_BUFFER)?;
        socket.set_non_blocking(true)?;
        socket.bind_auto()?;
        Ok(Self {
            socket,
            buffer: vec![0; RECEIVE_BUFFER],
        })
    }

    /// Listens to a multicast group, too.
    pub fn join(&self, group: u32) -> io::Result<()> {
        self.socket.add_membership(group)
    }

    /// The next datagram that is there already, else `WouldBlock`.
    pub fn receive_waiting(&mut self) -> io::Result<Vec<u8>> {
        let length = self.socket.recv(&mut &mut self.buffer[..], 0)?;
        Ok(self.buffer[..length].to_vec())
    }
}

impl AsFd for KernelSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Transport for KernelSocket {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.socket.send(datagram, 0).map(drop)
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.socket.recv(&mut &mut self.buffer[..], 0) {
                Ok(length) => return Ok(self.buffer[..length].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl<T: Transport> Transport for &mut T {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        (**self).send(datagram)
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        (**self).receive()
    }
}
