// SPDX-License-Identifier: GPL-2.0-only
//! Services and real servers by what a person calls them: their addresses, which are taken as they
//! are, or their names, which the kernel is asked for.

use rustix::io::Errno;

use super::{explained, Session};
use crate::cli::{EndpointRef, Owner, Selection, ServerRef, ServiceRef};
use crate::error::{Attempt, Failure};
use crate::model::{Endpoint, ServiceKey};
use crate::netlink::{ConnectionFilter, Error, Transport};
use crate::parse::AddressWithPort;

impl<T: Transport> Session<'_, T> {
    /// The service that is called so.
    pub fn find(&mut self, service: &ServiceRef) -> Result<ServiceKey, Failure> {
        let name = match service {
            ServiceRef::Key(key) => return Ok(*key),
            ServiceRef::Name(name) => name,
        };
        match self.client.service_named(name) {
            Err(Error::Refused {
                errno: Errno::SRCH, ..
            }) => Err(self.unknown_service(name)?),
            found => Ok(explained(found, Attempt::FindService(name))?.key),
        }
    }

    fn unknown_service(&mut self, name: &str) -> Result<Failure, Failure> {
        let mut names = Vec::new();
        let listed = self
            .client
            .brief_services(|service| names.extend(service.identity.name));
        explained(listed, Attempt::ListServices)?;
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        Ok(Failure::no_such_name("service", name, &names))
    }

    /// The service that is called so, if one is named.
    pub fn find_any(
        &mut self,
        service: Option<&ServiceRef>,
    ) -> Result<Option<ServiceKey>, Failure> {
        service.map(|service| self.find(service)).transpose()
    }

    /// The real server that is called so, and its service.
    pub fn find_server(&mut self, named: &ServerRef) -> Result<(ServiceKey, Endpoint), Failure> {
        let key = self.find(&named.service)?;
        let endpoint = match &named.server {
            EndpointRef::Address(address, port) => {
                let (address, port) = (*address, port.unwrap_or(key.port()));
                Endpoint { address, port }
            }
            EndpointRef::Name(name) => self.server_named(&key, name)?,
        };
        Ok((key, endpoint))
    }

    /// The real server of a service that has this name.
    fn server_named(&mut self, key: &ServiceKey, name: &str) -> Result<Endpoint, Failure> {
        let servers = explained(self.client.brief_servers(key), Attempt::ListService(key))?;
        let names: Vec<_> = servers
            .iter()
            .filter_map(|server| Some((server.identity.name.as_deref()?, server.endpoint)))
            .collect();
        if let Some((_, endpoint)) = names.iter().find(|(known, _)| *known == name) {
            return Ok(*endpoint);
        }
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        let what = format!("real server of {key}");
        Err(Failure::no_such_name(&what, name, &names))
    }

    /// The filter that selects the connections that are meant.
    pub fn find_connections(&mut self, selection: &Selection) -> Result<ConnectionFilter, Failure> {
        let (service, server) = match &selection.owner {
            Owner::Anyone => (None, None),
            Owner::Server(server) => (None, Some(*server)),
            Owner::Service(service, server) => {
                let key = self.find(service)?;
                let server = server.as_ref().map(|server| self.end_of(&key, server));
                (Some(key), server.transpose()?)
            }
        };
        Ok(ConnectionFilter {
            service,
            server,
            ..selection.filter.clone()
        })
    }

    /// What the connections of a service to a server have as their end. Those to a server for all ports
    /// have any port.
    fn end_of(
        &mut self,
        key: &ServiceKey,
        server: &EndpointRef,
    ) -> Result<AddressWithPort, Failure> {
        let (address, port) = match server {
            EndpointRef::Address(address, port) => (*address, *port),
            EndpointRef::Name(name) => {
                let Endpoint { address, port } = self.server_named(key, name)?;
                (address, (port != 0).then_some(port))
            }
        };
        Ok(AddressWithPort { address, port })
    }
}
