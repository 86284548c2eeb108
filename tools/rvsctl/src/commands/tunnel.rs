// SPDX-License-Identifier: GPL-2.0-only
//! The tunnel to a real server: what `server add` and `server set` say of it, put together with
//! what it is already, or refused with what would be right.

use crate::cli::{TunnelArgs, TunnelChecksum, TunnelType};
use crate::error::{ExitStatus, Failure};
use crate::model::{Encapsulation, ForwardingMethod};

impl TunnelArgs {
    /// The tunnel of a server that is reached by `method` and has this one at present.
    pub fn apply(
        &self,
        method: ForwardingMethod,
        present: Option<Encapsulation>,
    ) -> Result<Option<Encapsulation>, Failure> {
        if self.is_empty() {
            return Ok(present);
        }
        if method != ForwardingMethod::Tunneling {
            let message = format!("a server that is reached by {method} has no tunnel");
            let tip = format!("take `--method {}` as well", ForwardingMethod::Tunneling);
            return Err(wrong(message, tip));
        }
        let before = present.unwrap_or_default();
        let kind = self.tunnel_type.map_or(before.kind, TunnelType::number);
        // Another type of tunnel starts afresh.
        let before = match before.kind == kind {
            true => before,
            false => Encapsulation {
                kind,
                ..Encapsulation::default()
            },
        };
        Ok(Some(Encapsulation {
            kind,
            port: self.port_of(before)?,
            flags: self.flags_of(before)?,
        }))
    }

    fn is_empty(&self) -> bool {
        self.tunnel_type.is_none() && self.tunnel_port.is_none() && self.tunnel_checksum.is_none()
    }

    fn port_of(&self, before: Encapsulation) -> Result<u16, Failure> {
        let name = before.type_name();
        match (before.kind == Encapsulation::GUE, self.tunnel_port) {
            (true, None) if before.port == 0 => Err(wrong(
                "gue needs the UDP port that the server takes it at",
                "name it, as in `--tunnel-port 6080`",
            )),
            (false, Some(port)) => Err(wrong(
                format!("{name} has no port, so {port} would mean nothing"),
                "leave `--tunnel-port` out, or take `--tunnel-type gue`",
            )),
            (_, port) => Ok(port.unwrap_or(before.port)),
        }
    }

    fn flags_of(&self, before: Encapsulation) -> Result<u16, Failure> {
        let name = before.type_name();
        match (before.kind, self.tunnel_checksum) {
            (_, None) => Ok(before.flags),
            (_, Some(TunnelChecksum::None)) => Ok(0),
            (Encapsulation::GUE | Encapsulation::GRE, Some(TunnelChecksum::Full)) => {
                Ok(Encapsulation::CHECKSUM)
            }
            (Encapsulation::GUE, Some(TunnelChecksum::Remote)) => {
                Ok(Encapsulation::REMOTE_CHECKSUM)
            }
            (Encapsulation::GRE, Some(TunnelChecksum::Remote)) => Err(wrong(
                "gre can not have checksums completed at the far end",
                "take `--tunnel-checksum full`, or `--tunnel-type gue`",
            )),
            (_, Some(_)) => Err(wrong(
                format!("{name} has no checksum of its own"),
                "leave `--tunnel-checksum` out, or take `--tunnel-type gue` or `gre`",
            )),
        }
    }
}

fn wrong(message: impl Into<String>, tip: impl Into<String>) -> Failure {
    Failure::new(ExitStatus::Usage, message).tip(tip)
}
