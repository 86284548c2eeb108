// SPDX-License-Identifier: GPL-2.0-only
//! One conversation with one generic netlink family: requests, acknowledgements, dumps.
//!
//! This is the protocol of netlink itself; which commands exist lives in `operations`.

use std::io;

use netlink_packet_core::{
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
};
use netlink_packet_generic::constants::{
    CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, CTRL_ATTR_MCAST_GROUPS, CTRL_ATTR_MCAST_GRP_ID,
    CTRL_ATTR_MCAST_GRP_NAME, CTRL_CMD_GETFAMILY, CTRL_CMD_NEWFAMILY, GENL_ID_CTRL,
};
use netlink_packet_generic::GenlHeader;
use rustix::io::Errno;

use super::attribute::{encode, Attribute, Attributes, DecodeError};
use super::extack::ExtendedAck;
use super::message::{split, Message};
use super::numbers::{AttributeId, AttributeSet, FAMILY_VERSION};
use super::socket::Transport;

/// Version of the generic netlink controller's own family.
const CONTROLLER_VERSION: u8 = 2;

const fn id(number: u16, name: &'static str) -> AttributeId {
    AttributeId {
        number,
        name,
        nested: None,
    }
}

pub(super) const FAMILY_ID: AttributeId = id(CTRL_ATTR_FAMILY_ID, "family-id");
const FAMILY_NAME: AttributeId = id(CTRL_ATTR_FAMILY_NAME, "family-name");
const GROUPS: AttributeId = AttributeId {
    nested: Some(&GROUP),
    ..id(CTRL_ATTR_MCAST_GROUPS, "mcast-groups")
};
pub(super) static CONTROLLER: AttributeSet = AttributeSet {
    name: "nlctrl",
    attributes: &[FAMILY_ID, FAMILY_NAME, GROUPS],
};
const GROUP_NAME: AttributeId = id(CTRL_ATTR_MCAST_GRP_NAME, "name");
const GROUP_ID: AttributeId = id(CTRL_ATTR_MCAST_GRP_ID, "id");
static GROUP: AttributeSet = AttributeSet {
    name: "mcast-group",
    attributes: &[GROUP_NAME, GROUP_ID],
};

/// Why a conversation with the kernel failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel has no family of this name: its module is not loaded.
    #[error("the kernel has no generic netlink family {0}")]
    NoFamily(String),
    /// The family went away while it was listened to.
    #[error("the module was unloaded")]
    Unloaded,
    /// The kernel answered with an error number.
    #[error("{errno}")]
    Refused { errno: Errno, ack: ExtendedAck },
    #[error("the netlink socket failed: {0}")]
    Socket(#[from] io::Error),
    #[error("the kernel's answer was not understood: {0}")]
    Decode(#[from] DecodeError),
}

/// How a dump ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    Consistent,
    /// What was listed changed meanwhile, so entries may be missing or come twice.
    Interrupted,
}

/// What one request is: addressed to which family, saying what.
struct Request {
    family: u16,
    header: GenlHeader,
    flags: u16,
    /// Encoded attributes.
    body: Vec<u8>,
}

/// A conversation with one family. Requests are answered one after the other.
pub struct Client<T> {
    transport: T,
    family: u16,
    groups: Vec<(String, u32)>,
    sequence: u32,
}

impl<T: Transport> Client<T> {
    /// Looks up the family called `family_name`.
    pub fn connect(transport: T, family_name: &str) -> Result<Self, Error> {
        let mut client = Self {
            transport,
            family: GENL_ID_CTRL,
            groups: Vec::new(),
            sequence: 0,
        };
        client.resolve(family_name)?;
        Ok(client)
    }

    /// The family's number.
    pub fn family(&self) -> u16 {
        self.family
    }

    /// The number of a multicast group of the family, if it has one of this name.
    pub fn group(&self, name: &str) -> Option<u32> {
        let mut groups = self.groups.iter();
        groups.find(|group| group.0 == name).map(|group| group.1)
    }

    fn resolve(&mut self, family_name: &str) -> Result<(), Error> {
        let mut family = None;
        let result = self.exchange(
            Request {
                family: GENL_ID_CTRL,
                header: GenlHeader {
                    cmd: CTRL_CMD_GETFAMILY,
                    version: CONTROLLER_VERSION,
                },
                flags: NLM_F_ACK,
                body: encode(&[Attribute::string(FAMILY_NAME, family_name)]),
            },
            CTRL_CMD_NEWFAMILY,
            |body| {
                let attributes = Attributes::parse(&CONTROLLER, body)?;
                let groups = attributes.list(GROUPS)?.into_iter().map(|group| {
                    Ok((
                        group.require_string(GROUP_NAME)?,
                        group.require_u32(GROUP_ID)?,
                    ))
                });
                let groups = groups.collect::<Result<_, DecodeError>>()?;
                family = Some((attributes.require_u16(FAMILY_ID)?, groups));
                Ok(())
            },
        );
        match result {
            Err(Error::Refused {
                errno: Errno::NOENT,
                ..
            }) => Err(Error::NoFamily(family_name.to_string())),
            Err(error) => Err(error),
            Ok(_) => {
                (self.family, self.groups) =
                    family.ok_or_else(|| no_answer("the family lookup"))?;
                Ok(())
            }
        }
    }

    fn request(&self, command: u8, flags: u16, body: Vec<u8>) -> Request {
        Request {
            family: self.family,
            header: GenlHeader {
                cmd: command,
                version: FAMILY_VERSION,
            },
            flags,
            body,
        }
    }

    /// Asks for something to be done. Returns the kernel's remark, if it made one.
    pub fn perform(
        &mut self,
        command: u8,
        attributes: &[Attribute],
    ) -> Result<Option<String>, Error> {
        self.perform_encoded(command, encode(attributes))
    }

    /// As [`Client::perform`], with attributes that are encoded already.
    pub fn perform_encoded(&mut self, command: u8, body: Vec<u8>) -> Result<Option<String>, Error> {
        self.transport.make_room(body.len())?;
        let request = self.request(command, NLM_F_ACK, body);
        let (ack, _) = self.exchange(request, command, |_| Ok::<_, Error>(()))?;
        Ok(ack.message)
    }

    /// Asks for one thing, which arrives in a message with command `reply`. `decode` reads the
    /// body.
    pub fn get<R>(
        &mut self,
        command: u8,
        attributes: &[Attribute],
        reply: u8,
        decode: impl Fn(&[u8]) -> Result<R, DecodeError>,
    ) -> Result<R, Error> {
        let request = self.request(command, NLM_F_ACK, encode(attributes));
        let mut answer = None;
        self.exchange(request, reply, |body| {
            answer = Some(decode(body)?);
            Ok::<_, Error>(())
        })?;
        answer.ok_or_else(|| no_answer("the request"))
    }

    /// Asks for a list and hands the body of each entry to `each` as it arrives. An error of `each`
    /// ends the reading.
    pub fn dump<E: From<Error>>(
        &mut self,
        command: u8,
        attributes: &[Attribute],
        reply: u8,
        each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Consistency, E> {
        let request = self.request(command, NLM_F_DUMP, encode(attributes));
        let (_, consistency) = self.exchange(request, reply, each)?;
        Ok(consistency)
    }

    /// Sends a request and reads until it is acknowledged, done or refused. Messages of other
    /// conversations are passed over.
    fn exchange<E: From<Error>>(
        &mut self,
        request: Request,
        reply: u8,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(ExtendedAck, Consistency), E> {
        self.sequence = self.sequence.wrapping_add(1);
        let family = request.family;
        let sent = Message {
            family,
            header: request.header,
            body: request.body,
        }
        .into_datagram(NLM_F_REQUEST | request.flags, self.sequence);
        self.transport.send(&sent).map_err(Error::from)?;

        let mut consistency = Consistency::Consistent;
        loop {
            let datagram = self.transport.receive().map_err(Error::from)?;
            for message in split(&datagram) {
                let NetlinkMessage {
                    header, payload, ..
                } = message.map_err(|reason| Error::from(DecodeError::Malformed(reason)))?;
                if header.sequence_number != self.sequence {
                    continue;
                }
                if header.flags & NLM_F_DUMP_INTR != 0 {
                    consistency = Consistency::Interrupted;
                }
                match payload {
                    NetlinkPayload::InnerMessage(message)
                        if message.family == family && message.header.cmd == reply =>
                    {
                        each(&message.body)?;
                    }
                    other => {
                        if let Some(end) = end_of_exchange(&header, &other, &sent) {
                            return Ok((end?, consistency));
                        }
                    }
                }
            }
        }
    }
}

/// What an acknowledgement, an error or the end of a dump says about the request; `None` for any
/// other message.
fn end_of_exchange(
    header: &NetlinkHeader,
    payload: &NetlinkPayload<Message>,
    request: &[u8],
) -> Option<Result<ExtendedAck, Error>> {
    let (code, ack) = match payload {
        NetlinkPayload::Error(error) => (
            error.raw_code(),
            ExtendedAck::of_error(header.flags, &error.header, request),
        ),
        NetlinkPayload::Done(done) => (
            done.code,
            ExtendedAck::of_done(header.flags, &done.extended_ack, request),
        ),
        _ => return None,
    };
    match code {
        0 => Some(Ok(ack)),
        -4095..=-1 => {
            let errno = Errno::from_raw_os_error(-code);
            Some(Err(Error::Refused { errno, ack }))
        }
        other => {
            let reason = format!("{other} is not an error number");
            Some(Err(DecodeError::Malformed(reason).into()))
        }
    }
}

fn no_answer(to: &str) -> Error {
    DecodeError::Malformed(format!("{to} was acknowledged but not answered")).into()
}

#[cfg(test)]
mod tests {
    use super::super::fake::{ack, capped_error, done, family_reply, reply, Script};
    use super::super::numbers::{command, rvs, service};
    use super::*;

    fn connected(answers: Vec<Vec<Vec<u8>>>) -> Client<Script> {
        let mut all = vec![vec![family_reply(), ack(1)]];
        all.extend(answers);
        Client::connect(Script::new(all), "RVS").unwrap()
    }

    #[test]
    fn the_family_is_looked_up_by_name() {
        let client = connected(vec![]);
        assert_eq!(client.family, 30);
        let sent = &client.transport.sent[0];
        assert_eq!(sent[4..6], GENL_ID_CTRL.to_ne_bytes());
        assert_eq!(sent[16..], [3, 2, 0, 0, 8, 0, 2, 0, b'R', b'V', b'S', 0]);
    }

    #[test]
    fn a_family_the_kernel_does_not_have_is_reported_by_name() {
        let script = Script::new(vec![vec![capped_error(1, -2, &[])]]);
        let error = Client::connect(script, "RVS").err().unwrap();
        assert!(matches!(error, Error::NoFamily(name) if name == "RVS"));
    }

    #[test]
    fn a_family_answer_without_number_is_an_error() {
        let script = Script::new(vec![vec![ack(1)]]);
        assert!(matches!(
            Client::connect(script, "RVS").err().unwrap(),
            Error::Decode(_)
        ));
    }

    #[test]
    fn a_dump_hands_out_entries_of_several_datagrams_until_it_is_done() {
        let entry = |n| reply(2, command::NEW_SERVICE, &[4, 0, n, 0]);
        let mut client = connected(vec![vec![
            [entry(1), entry(2)].concat(),
            entry(3),
            done(2, 0, 0),
        ]]);
        let mut seen = Vec::new();
        let consistency = client
            .dump(command::GET_SERVICE, &[], command::NEW_SERVICE, |body| {
                seen.push(body[2]);
                Ok::<_, Error>(())
            })
            .unwrap();
        assert_eq!(seen, [1, 2, 3]);
        assert_eq!(consistency, Consistency::Consistent);
    }

    #[test]
    fn a_dump_that_the_kernel_marks_as_interrupted_says_so() {
        let mut client = connected(vec![vec![done(2, 0, NLM_F_DUMP_INTR)]]);
        let consistency = client
            .dump(command::GET_SERVICE, &[], command::NEW_SERVICE, |_| {
                Ok::<_, Error>(())
            })
            .unwrap();
        assert_eq!(consistency, Consistency::Interrupted);
    }

    #[test]
    fn a_dump_that_ends_with_an_error_number_fails() {
        let mut client = connected(vec![vec![done(2, -12, 0)]]);
        let result = client.dump(command::GET_SERVICE, &[], command::NEW_SERVICE, |_| {
            Ok::<_, Error>(())
        });
        assert!(matches!(
            result,
            Err(Error::Refused {
                errno: Errno::NOMEM,
                ..
            })
        ));
    }

    #[test]
    fn answers_to_earlier_requests_are_passed_over() {
        let mut client = connected(vec![vec![capped_error(1, -1, &[]), ack(2)]]);
        assert!(client.perform(command::FLUSH, &[]).is_ok());
    }

    #[test]
    fn a_refusal_carries_error_number_words_and_attribute() {
        let sched = [&[8, 0, 6, 0][..], b"wlx\0"].concat();
        let request = [Attribute::nest(
            rvs::SERVICE,
            vec![Attribute::string(service::SCHED_NAME, "wlx")],
        )];
        let extack = [
            &[12, 0, 1, 0][..],
            b"no such\0",
            &[8, 0, 2, 0],
            &24u32.to_ne_bytes(),
        ]
        .concat();
        let mut client = connected(vec![vec![capped_error(2, -2, &extack)]]);
        let error = client.perform(command::NEW_SERVICE, &request).unwrap_err();
        assert_eq!(client.transport.sent[1][24..32], sched);
        let Error::Refused { errno, ack } = error else {
            panic!("{error}");
        };
        assert_eq!(errno, Errno::NOENT);
        assert_eq!(ack.message.as_deref(), Some("no such"));
        assert_eq!(ack.offending.as_deref(), Some("service.sched-name"));
    }

    #[test]
    fn an_acknowledgement_may_carry_a_remark() {
        let remark = [&[9, 0, 1, 0][..], b"mind\0", &[0; 3]].concat();
        let mut client = connected(vec![vec![capped_error(2, 0, &remark)]]);
        let remark = client.perform(command::FLUSH, &[]).unwrap();
        assert_eq!(remark.as_deref(), Some("mind"));
    }

    #[test]
    fn an_impossible_error_number_is_an_error_and_never_a_panic() {
        for code in [i32::MIN, -5000, 7] {
            let mut client = connected(vec![vec![capped_error(2, code, &[])]]);
            assert!(matches!(
                client.perform(command::FLUSH, &[]),
                Err(Error::Decode(_))
            ));
        }
    }

    #[test]
    fn an_answer_cut_short_is_an_error_and_never_a_panic() {
        let whole = capped_error(2, -2, &[]);
        for length in 1..whole.len() {
            let mut client = connected(vec![vec![whole[..length].to_vec()]]);
            assert!(matches!(
                client.perform(command::FLUSH, &[]),
                Err(Error::Decode(_))
            ));
        }
    }
}
