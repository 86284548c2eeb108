// SPDX-License-Identifier: GPL-2.0-only
//! A generic netlink message: family, command, attributes. It knows nothing of what they mean.

use netlink_packet_core::{DecodeError, Emitable, NetlinkDeserializable, NetlinkHeader};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload, NetlinkSerializable, Parseable};
use netlink_packet_generic::{GenlBuffer, GenlHeader};

/// The payload of a netlink message of some generic netlink family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Family number the kernel assigned.
    pub family: u16,
    pub header: GenlHeader,
    /// Encoded attributes.
    pub body: Vec<u8>,
}

impl Message {
    /// The whole datagram, netlink header included. `flags` are `NLM_F_*`.
    pub fn into_datagram(self, flags: u16, sequence: u32) -> Vec<u8> {
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(self));
        message.finalize();
        let mut datagram = vec![0; message.buffer_len()];
        message.serialize(&mut datagram);
        datagram
    }
}

impl NetlinkSerializable for Message {
    fn message_type(&self) -> u16 {
        self.family
    }

    fn buffer_len(&self) -> usize {
        self.header.buffer_len() + self.body.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let (header, body) = buffer.split_at_mut(self.header.buffer_len());
        self.header.emit(header);
        body.copy_from_slice(&self.body);
    }
}

impl NetlinkDeserializable for Message {
    type Error = DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        let buffer = GenlBuffer::new_checked(payload)?;
        Ok(Self {
            family: header.message_type,
            header: GenlHeader::parse(&buffer)?,
            body: buffer.payload().to_vec(),
        })
    }
}

/// Splits a received datagram into its netlink messages. A message that does not fit ends the
/// iteration with an error.
pub fn split(
    mut datagram: &[u8],
) -> impl Iterator<Item = Result<NetlinkMessage<Message>, String>> + '_ {
    std::iter::from_fn(move || {
        if datagram.is_empty() {
            return None;
        }
        match NetlinkMessage::deserialize(datagram) {
            Ok(message) => {
                let length = message.header.length as usize;
                let next = length.next_multiple_of(4).min(datagram.len());
                datagram = &datagram[next..];
                Some(Ok(message))
            }
            Err(error) => {
                datagram = &[];
                Some(Err(error.to_string()))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(command: u8, body: &[u8]) -> Message {
        Message {
            family: 30,
            header: GenlHeader {
                cmd: command,
                version: 1,
            },
            body: body.to_vec(),
        }
    }

    #[test]
    fn a_message_is_written_with_netlink_and_generic_netlink_header() {
        let datagram = message(4, &[4, 0, 1, 0]).into_datagram(0x305, 9);
        let mut expected = vec![24, 0, 0, 0, 30, 0, 5, 3, 9, 0, 0, 0, 0, 0, 0, 0];
        expected.extend([4, 1, 0, 0, 4, 0, 1, 0]);
        assert_eq!(datagram, expected);
    }

    #[test]
    fn several_messages_in_one_datagram_are_all_read() {
        let mut datagram = message(4, &[]).into_datagram(0, 1);
        datagram.extend(message(5, &[4, 0, 1, 0]).into_datagram(0, 1));
        let commands: Vec<_> = split(&datagram)
            .map(|message| match message.unwrap().payload {
                NetlinkPayload::InnerMessage(message) => message.header.cmd,
                other => panic!("unexpected {other:?}"),
            })
            .collect();
        assert_eq!(commands, [4, 5]);
    }

    #[test]
    fn every_truncation_of_a_datagram_is_an_error_and_never_a_panic() {
        let datagram = message(4, &[4, 0, 1, 0]).into_datagram(0, 1);
        for length in 1..datagram.len() {
            let results: Vec<_> = split(&datagram[..length]).collect();
            assert!(
                matches!(results[..], [Err(_)]),
                "{length} of {} bytes were accepted",
                datagram.len()
            );
        }
    }

    #[test]
    fn a_message_that_claims_no_length_ends_the_reading() {
        let results: Vec<_> = split(&[0; 32]).collect();
        assert!(matches!(results[..], [Err(_)]), "{results:?}");
    }

    #[test]
    fn a_family_message_without_generic_netlink_header_is_an_error() {
        let datagram = [16, 0, 0, 0, 30, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        let results: Vec<_> = split(&datagram).collect();
        assert!(matches!(results[..], [Err(_)]), "{results:?}");
    }
}
