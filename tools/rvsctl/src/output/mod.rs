// SPDX-License-Identifier: GPL-2.0-only
//! How things look: tables for people, JSON for programs. Nothing here asks the kernel.

pub mod changes;
pub mod connections;
pub mod events;
pub mod explanation;
pub mod json;
pub mod metrics;
pub mod number;
pub mod services;
pub mod table;
pub mod totals;

/// Things to print, for tests, read from encoded kernel answers.
#[cfg(test)]
pub mod samples {
    use crate::model::{
        Connection, Counted, Endpoint, Family, ForwardingMethod, Pace, Protocol, Reading,
        ServiceKey, ServiceWithServers, Totals,
    };
    use crate::netlink::{decode, samples, ServerSettings};
    use crate::parse;

    fn service(name: &str, protocol: Protocol, scheduler: &str) -> ServiceWithServers {
        let key = ServiceKey::Endpoint {
            protocol,
            endpoint: parse::endpoint(name).unwrap(),
        };
        let body = samples::service_body(&key, scheduler);
        ServiceWithServers {
            service: decode::service(&body).unwrap(),
            servers: Vec::new(),
        }
    }

    fn with(
        mut service: ServiceWithServers,
        server: &str,
        method: ForwardingMethod,
        weight: u32,
    ) -> ServiceWithServers {
        let endpoint: Endpoint = parse::endpoint(server).unwrap();
        let body = samples::server_body(endpoint, &ServerSettings::new(method, weight));
        let server = decode::server(&body, Family::Ipv4).unwrap();
        service.servers.push(server);
        service
    }

    pub fn services() -> Vec<ServiceWithServers> {
        use ForwardingMethod::{DirectRouting, Masquerading, Tunneling};

        let web = service("192.0.2.10:80", Protocol::TCP, "wlc");
        let web = with(web, "10.0.0.1:8080", Masquerading, 5);
        let web = with(web, "10.0.0.2:8080", DirectRouting, 0);
        let dns = service("192.0.2.10:53", Protocol::UDP, "rr");
        let six = service("[2001:db8::10]:80", Protocol::TCP, "rr");
        let six = with(six, "[2001:db8::2]:80", Tunneling, 1);
        vec![web, dns, six]
    }

    /// Two readings at one time.
    pub fn pace() -> Pace {
        let reading = Reading {
            totals: totals(),
            services: services(),
        };
        Pace::since(&Counted::of(&reading), reading)
    }

    pub fn totals() -> Totals {
        decode::totals(&samples::totals_body()).unwrap()
    }

    pub fn connection(client_port: u16) -> Connection {
        decode::connection(&samples::connection_body(client_port)).unwrap()
    }

    /// The template of a client of the service of mark 7.
    pub fn template() -> Connection {
        Connection {
            protocol: Protocol(0),
            client: parse::endpoint("198.51.100.0:any").unwrap(),
            r#virtual: parse::endpoint("0.0.0.7:any").unwrap(),
            server: parse::endpoint("10.0.0.1:any").unwrap(),
            method: ForwardingMethod::Masquerading,
            state: "NONE".to_string(),
            expires: 300_000,
            flags: 0x1000,
            age: 7_200_000,
            idle: 0,
        }
    }

    /// Fails when a line is wider than `columns`.
    pub fn fits(columns: usize, text: &str) {
        for line in text.lines() {
            let width = line.chars().count();
            assert!(width <= columns, "{width} columns: {line}");
        }
    }
}
