// SPDX-License-Identifier: GPL-2.0-only
//! What the family can be asked for, one function per request, in the terms of `model`.

use super::attribute::{Attribute, Attributes, DecodeError};
use super::client::{Client, Consistency, Error};
use super::connection::decode_connection;
use super::drain::{encode_plan, encode_stop};
use super::explanation::{decode_explanation, encode_flow};
use super::filter::{decode_count, encode_filter, ConnectionFilter};
use super::numbers::{command, info, rvs};
use super::server::{self, decode_server, ServerSettings};
use super::service::{self, decode_service, ServiceSettings};
use super::socket::Transport;
use super::statistics::decode_totals;
use crate::model::{
    Connection, DrainPlan, Endpoint, Explanation, Flow, Info, Server, Service, ServiceKey,
    Timeouts, Totals, Version,
};

/// How often a listing that changed while it was read is read again before it is taken as it is.
const DUMP_ATTEMPTS: usize = 5;

/// The kernel's remark on a request that it carried out, if it made one.
pub type Remark = Option<String>;

/// Timeouts to change; the others stay.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeoutChange {
    pub tcp: Option<u32>,
    pub tcp_fin: Option<u32>,
    pub udp: Option<u32>,
}

impl<T: Transport> Client<T> {
    pub fn add_service(
        &mut self,
        key: &ServiceKey,
        settings: &ServiceSettings,
    ) -> Result<Remark, Error> {
        let service = service::encode_service(key, settings);
        self.perform(command::NEW_SERVICE, &[service])
    }

    pub fn set_service(
        &mut self,
        key: &ServiceKey,
        settings: &ServiceSettings,
    ) -> Result<Remark, Error> {
        let service = service::encode_service(key, settings);
        self.perform(command::SET_SERVICE, &[service])
    }

    pub fn delete_service(&mut self, key: &ServiceKey) -> Result<Remark, Error> {
        self.perform(command::DEL_SERVICE, &[service::encode_key(key)])
    }

    pub fn service(&mut self, key: &ServiceKey) -> Result<Service, Error> {
        let key = [service::encode_key(key)];
        self.get(
            command::GET_SERVICE,
            &key,
            command::NEW_SERVICE,
            decode_service,
        )
    }

    /// The service of this name.
    pub fn service_named(&mut self, name: &str) -> Result<Service, Error> {
        let name = [service::encode_name(name)];
        self.get(
            command::GET_SERVICE,
            &name,
            command::NEW_SERVICE,
            decode_service,
        )
    }

    /// Hands each service, without its counters, to `each` as it arrives.
    pub fn brief_services(&mut self, mut each: impl FnMut(Service)) -> Result<Consistency, Error> {
        let brief = [Attribute::flag(rvs::BRIEF)];
        self.dump(command::GET_SERVICE, &brief, command::NEW_SERVICE, |body| {
            each(decode_service(body)?);
            Ok(())
        })
    }

    /// The real servers of a service without their counters, newest first.
    pub fn brief_servers(&mut self, service: &ServiceKey) -> Result<Vec<Server>, Error> {
        let family = service.family();
        self.list(
            command::GET_DEST,
            &[service::encode_key(service), Attribute::flag(rvs::BRIEF)],
            command::NEW_DEST,
            |body| decode_server(body, family),
        )
    }

    /// All services, in the kernel's order.
    pub fn services(&mut self) -> Result<Vec<Service>, Error> {
        self.list(
            command::GET_SERVICE,
            &[],
            command::NEW_SERVICE,
            decode_service,
        )
    }

    pub fn add_server(
        &mut self,
        service: &ServiceKey,
        endpoint: Endpoint,
        settings: &ServerSettings,
    ) -> Result<Remark, Error> {
        let server = server::encode_server(endpoint, settings);
        self.perform(command::NEW_DEST, &[service::encode_key(service), server])
    }

    pub fn set_server(
        &mut self,
        service: &ServiceKey,
        endpoint: Endpoint,
        settings: &ServerSettings,
    ) -> Result<Remark, Error> {
        let server = server::encode_server(endpoint, settings);
        self.perform(command::SET_DEST, &[service::encode_key(service), server])
    }

    pub fn delete_server(
        &mut self,
        service: &ServiceKey,
        endpoint: Endpoint,
    ) -> Result<Remark, Error> {
        let server = server::encode_key(endpoint);
        self.perform(command::DEL_DEST, &[service::encode_key(service), server])
    }

    /// Begins to drain a server, or changes how it is drained.
    pub fn drain_server(
        &mut self,
        service: &ServiceKey,
        endpoint: Endpoint,
        plan: DrainPlan,
    ) -> Result<Remark, Error> {
        let [service, server] = [service::encode_key(service), server::encode_key(endpoint)];
        self.perform(command::DRAIN_DEST, &[service, server, encode_plan(plan)])
    }

    /// Ends the draining of a server.
    pub fn undrain_server(
        &mut self,
        service: &ServiceKey,
        endpoint: Endpoint,
    ) -> Result<Remark, Error> {
        let [service, server] = [service::encode_key(service), server::encode_key(endpoint)];
        self.perform(command::DRAIN_DEST, &[service, server, encode_stop()])
    }

    /// The real servers of a service, in the kernel's order. A service that does not exist may
    /// look like one without servers.
    pub fn servers(&mut self, service: &ServiceKey) -> Result<Vec<Server>, Error> {
        let family = service.family();
        self.list(
            command::GET_DEST,
            &[service::encode_key(service)],
            command::NEW_DEST,
            |body| decode_server(body, family),
        )
    }

    pub fn timeouts(&mut self) -> Result<Timeouts, Error> {
        self.get(
            command::GET_CONFIG,
            &[],
            command::SET_CONFIG,
            decode_timeouts,
        )
    }

    pub fn set_timeouts(&mut self, change: TimeoutChange) -> Result<Remark, Error> {
        let attributes: Vec<_> = [
            (rvs::TIMEOUT_TCP, change.tcp),
            (rvs::TIMEOUT_TCP_FIN, change.tcp_fin),
            (rvs::TIMEOUT_UDP, change.udp),
        ]
        .into_iter()
        .filter_map(|(id, seconds)| Some(Attribute::u32(id, seconds?)))
        .collect();
        self.perform(command::SET_CONFIG, &attributes)
    }

    pub fn info(&mut self) -> Result<Info, Error> {
        self.get(command::GET_INFO, &[], command::SET_INFO, decode_info)
    }

    /// Zeroes the counters of one service and its servers, or of everything.
    pub fn zero(&mut self, service: Option<&ServiceKey>) -> Result<Remark, Error> {
        let key: Vec<_> = service.map(service::encode_key).into_iter().collect();
        self.perform(command::ZERO, &key)
    }

    /// Removes every service and server.
    pub fn flush(&mut self) -> Result<Remark, Error> {
        self.perform(command::FLUSH, &[])
    }

    /// Hands each connection that the filter selects to `each` as it arrives, so that a million of them
    /// need no memory.
    pub fn connections<E: From<Error>>(
        &mut self,
        filter: &ConnectionFilter,
        mut each: impl FnMut(Connection) -> Result<(), E>,
    ) -> Result<(), E> {
        self.dump(
            command::GET_CONNECTION,
            &[encode_filter(filter)],
            command::NEW_CONNECTION,
            |body| each(decode_connection(body).map_err(Error::from)?),
        )
        .map(|_| ())
    }

    /// How many connections the filter selects.
    pub fn count_connections(&mut self, filter: &ConnectionFilter) -> Result<u64, Error> {
        self.pass(command::COUNT_CONNECTIONS, &[encode_filter(filter)])
    }

    /// Ends the connections that the filter selects, `silent` without telling their ends. How many.
    pub fn kill_connections(
        &mut self,
        filter: &ConnectionFilter,
        silent: bool,
    ) -> Result<u64, Error> {
        let mut attributes = vec![encode_filter(filter)];
        attributes.extend(silent.then(|| Attribute::flag(rvs::SILENT)));
        self.pass(command::KILL_CONNECTIONS, &attributes)
    }

    /// Has the kernel pass over its connections, of which it does a part at a time. How many were meant.
    fn pass(&mut self, command: u8, attributes: &[Attribute]) -> Result<u64, Error> {
        let mut total = 0;
        let mut cursor: Option<Vec<u8>> = None;
        loop {
            let mut attributes = attributes.to_vec();
            attributes.extend(cursor.map(|cursor| Attribute::bytes(rvs::CURSOR, &cursor)));
            let (count, next) = self.get(command, &attributes, command::NEW_COUNT, decode_count)?;
            total += count;
            if next.is_none() {
                return Ok(total);
            }
            cursor = next;
        }
    }

    /// What would become of the packet that opens a flow.
    pub fn explain(&mut self, flow: &Flow) -> Result<Explanation, Error> {
        self.get(
            command::GET_EXPLANATION,
            &[encode_flow(flow)],
            command::NEW_EXPLANATION,
            decode_explanation,
        )
    }

    pub fn totals(&mut self) -> Result<Totals, Error> {
        self.get(command::GET_TOTALS, &[], command::NEW_TOTALS, decode_totals)
    }

    /// Reads a list whole, again when it changed meanwhile.
    fn list<R>(
        &mut self,
        request: u8,
        attributes: &[Attribute],
        reply: u8,
        decode: impl Fn(&[u8]) -> Result<R, DecodeError>,
    ) -> Result<Vec<R>, Error> {
        let mut entries = Vec::new();
        for _ in 0..DUMP_ATTEMPTS {
            entries.clear();
            let consistency = self.dump(request, attributes, reply, |body| {
                entries.push(decode(body)?);
                Ok::<_, Error>(())
            })?;
            if consistency == Consistency::Consistent {
                break;
            }
        }
        Ok(entries)
    }
}

/// Reads timeouts that stand at the top of a message.
pub fn decode_timeouts(body: &[u8]) -> Result<Timeouts, DecodeError> {
    let attributes = Attributes::parse(&rvs::SET, body)?;
    Ok(Timeouts {
        tcp: attributes.require_u32(rvs::TIMEOUT_TCP)?,
        tcp_fin: attributes.require_u32(rvs::TIMEOUT_TCP_FIN)?,
        udp: attributes.require_u32(rvs::TIMEOUT_UDP)?,
    })
}

fn decode_info(body: &[u8]) -> Result<Info, DecodeError> {
    let attributes = Attributes::parse(&info::SET, body)?;
    Ok(Info {
        version: Version(attributes.require_u32(info::VERSION)?),
        connection_table_slots: attributes.require_u32(info::CONN_TAB_SIZE)?,
        generation: attributes.u64(info::GENERATION)?,
    })
}

#[cfg(test)]
pub mod tests {
    use netlink_packet_core::NLM_F_DUMP_INTR;

    use super::super::attribute::encode;
    use super::super::fake::{ack, done, family_reply, reply, Script};
    use super::super::service::tests::{key, service_body};
    use super::*;

    /// The body of the kernel's answer about the module.
    pub fn info_body(generation: u64) -> Vec<u8> {
        let mut body = info_body_without_generation();
        body.extend(encode(&[Attribute::u64(info::GENERATION, generation)]));
        body
    }

    pub fn info_body_without_generation() -> Vec<u8> {
        encode(&[
            Attribute::u32(info::VERSION, 0x0001_0201),
            Attribute::u32(info::CONN_TAB_SIZE, 4096),
        ])
    }

    fn connected(answers: Vec<Vec<Vec<u8>>>) -> Client<Script> {
        let mut all = vec![vec![family_reply(), ack(1)]];
        all.extend(answers);
        Client::connect(Script::new(all), "RVS").unwrap()
    }

    #[test]
    fn a_listing_that_changed_meanwhile_is_read_again() {
        let entry = |sequence| reply(sequence, command::NEW_SERVICE, &service_body(&key(), "rr"));
        let mut client = connected(vec![
            vec![entry(2), done(2, 0, NLM_F_DUMP_INTR)],
            vec![entry(3), entry(3), done(3, 0, 0)],
        ]);
        assert_eq!(client.services().unwrap().len(), 2);
    }

    #[test]
    fn a_listing_that_never_stops_changing_is_taken_as_it_is() {
        let interrupted = (2..).map(|n| vec![done(n, 0, NLM_F_DUMP_INTR)]);
        let mut client = connected(interrupted.take(DUMP_ATTEMPTS).collect());
        assert_eq!(client.services().unwrap().len(), 0);
    }

    #[test]
    fn timeouts_are_read_in_seconds() {
        let body = encode(&[
            Attribute::u32(rvs::TIMEOUT_TCP, 900),
            Attribute::u32(rvs::TIMEOUT_TCP_FIN, 120),
            Attribute::u32(rvs::TIMEOUT_UDP, 300),
        ]);
        let mut client = connected(vec![vec![reply(2, command::SET_CONFIG, &body), ack(2)]]);
        let timeouts = client.timeouts().unwrap();
        assert_eq!(
            (timeouts.tcp, timeouts.tcp_fin, timeouts.udp),
            (900, 120, 300)
        );
    }

    #[test]
    fn the_version_is_read_as_major_minor_patch() {
        let info = decode_info(&info_body(7)).unwrap();
        assert_eq!(info.generation, Some(7));
        assert_eq!(info.version.to_string(), "1.2.1");
        assert_eq!(info.connection_table_slots, 4096);
    }
}
