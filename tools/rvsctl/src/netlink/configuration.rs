// SPDX-License-Identifier: GPL-2.0-only
//! The whole configuration in one request: each service, and behind it its real servers.

use std::collections::HashSet;

use super::attribute::{Attribute, Attributes, DecodeError};
use super::client::{Client, Error};
use super::numbers::{command, rvs};
use super::server::decode_attributes as decode_server;
use super::service::{decode_attributes as decode_service, decode_service_key};
use super::socket::Transport;
use crate::model::{Server, Service, ServiceKey, ServiceWithServers};

/// One message of the listing.
enum Item {
    Service(Service),
    Server(ServiceKey, Server),
}

fn decode(body: &[u8]) -> Result<Item, DecodeError> {
    let top = Attributes::parse(&rvs::SET, body)?;
    match top.nest(rvs::DEST)? {
        None => decode_service(&top.require_nest(rvs::SERVICE)?).map(Item::Service),
        Some(server) => {
            let key = decode_service_key(&top)?;
            Ok(Item::Server(key, decode_server(&server, key.family())?))
        }
    }
}

/// What is wrong about a server that does not follow its service.
fn misplaced(server: &Server) -> Error {
    let reason = format!("{} came without its service", server.endpoint);
    DecodeError::Malformed(reason).into()
}

impl<T: Transport> Client<T> {
    /// Hands each service with its servers to `each` as it arrives, so that many of them need no memory:
    /// in the kernel's order, servers in the order in which they were added. `ip_vs` lists nothing here.
    pub fn configuration<E: From<Error>>(
        &mut self,
        each: impl FnMut(ServiceWithServers) -> Result<(), E>,
    ) -> Result<(), E> {
        self.read_configuration(&[], each)
    }

    /// As [`Client::configuration`], all without their counters.
    pub fn brief_configuration<E: From<Error>>(
        &mut self,
        each: impl FnMut(ServiceWithServers) -> Result<(), E>,
    ) -> Result<(), E> {
        self.read_configuration(&[Attribute::flag(rvs::BRIEF)], each)
    }

    fn read_configuration<E: From<Error>>(
        &mut self,
        attributes: &[Attribute],
        mut each: impl FnMut(ServiceWithServers) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut last: Option<ServiceWithServers> = None;
        self.dump(
            command::GET_DEST,
            attributes,
            command::NEW_DEST,
            |body| match decode(body).map_err(Error::from)? {
                Item::Service(service) => {
                    let servers = Vec::new();
                    let next = ServiceWithServers { service, servers };
                    last.replace(next).map_or(Ok(()), |it| each(whole(it)))
                }
                Item::Server(key, server) => match &mut last {
                    Some(last) if last.service.key == key => {
                        last.servers.push(server);
                        Ok(())
                    }
                    _ => Err(misplaced(&server).into()),
                },
            },
        )?;
        last.map_or(Ok(()), |it| each(whole(it)))
    }
}

/// A service of which all servers are there, newest first. Those that came twice, because others went
/// away meanwhile, are as they were later.
fn whole(mut service: ServiceWithServers) -> ServiceWithServers {
    let mut seen = HashSet::with_capacity(service.servers.len());
    service.servers.reverse();
    service
        .servers
        .retain(|server| seen.insert(server.endpoint));
    service
}

#[cfg(test)]
pub mod tests {
    use super::super::attribute::encode;
    use super::super::fake::{ack, done, family_reply, reply, Script};
    use super::super::server::tests::server_body;
    use super::super::server::ServerSettings;
    use super::super::service::encode_key;
    use super::super::service::tests::{key, service_body};
    use super::*;
    use crate::model::ForwardingMethod;

    /// The body of the kernel's answer about a server of weight 5 in a listing of all.
    pub fn server_of(key: &ServiceKey, endpoint: &str) -> Vec<u8> {
        let settings = ServerSettings::new(ForwardingMethod::Masquerading, 5);
        let endpoint = crate::parse::endpoint(endpoint).unwrap();
        [encode(&[encode_key(key)]), server_body(endpoint, &settings)].concat()
    }

    fn listed(bodies: &[Vec<u8>]) -> Result<Vec<ServiceWithServers>, Error> {
        let bodies = bodies.iter();
        let mut answer: Vec<_> = bodies
            .map(|body| reply(2, command::NEW_DEST, body))
            .collect();
        answer.push(done(2, 0, 0));
        let script = Script::new(vec![vec![family_reply(), ack(1)], answer]);
        let mut found = Vec::new();
        Client::connect(script, "RVS")?.configuration(|service| {
            found.push(service);
            Ok::<_, Error>(())
        })?;
        Ok(found)
    }

    fn other() -> ServiceKey {
        ServiceKey::Fwmark {
            fwmark: 7,
            family: crate::model::Family::Ipv4,
        }
    }

    #[test]
    fn servers_are_those_of_the_service_before_them_oldest_first() {
        let found = listed(&[
            service_body(&other(), "rr"),
            service_body(&key(), "wlc"),
            server_of(&key(), "10.0.0.2:80"),
            server_of(&key(), "10.0.0.1:80"),
        ])
        .unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|it| {
                let servers = it.servers.iter().map(|server| server.endpoint.to_string());
                (it.service.key, servers.collect::<Vec<_>>())
            })
            .collect();
        let servers = ["10.0.0.1:80", "10.0.0.2:80"].map(String::from).to_vec();
        assert_eq!(shown, [(other(), vec![]), (key(), servers)]);
    }

    #[test]
    fn a_server_that_comes_twice_is_there_once() {
        let found = listed(&[
            service_body(&key(), "wlc"),
            server_of(&key(), "10.0.0.2:80"),
            server_of(&key(), "10.0.0.2:80"),
            server_of(&key(), "10.0.0.1:80"),
        ]);
        assert_eq!(found.unwrap()[0].servers.len(), 2);
    }

    #[test]
    fn a_server_without_its_service_is_an_error() {
        let found = listed(&[
            service_body(&other(), "rr"),
            server_of(&key(), "10.0.0.1:80"),
        ]);
        let message = found.unwrap_err().to_string();
        assert!(message.contains("10.0.0.1:80 came without"), "{message}");
    }
}
