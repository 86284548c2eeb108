// SPDX-License-Identifier: GPL-2.0-only
//! Writing services so that they can be read again. What is as it would be anyway is left out.

use std::io::{self, Write};

use crate::model::{
    Encapsulation, ForwardingMethod, Labels, Netmask, SchedulerOption, Server, Service,
    ServiceFlags, ServiceKey, ServiceWithServers,
};

/// Writes a service with its servers, in their order.
pub fn write(out: &mut dyn Write, described: &ServiceWithServers) -> io::Result<()> {
    let ServiceWithServers { service, servers } = described;
    writeln!(out, "[[service]]")?;
    if let Some(name) = &service.identity.name {
        writeln!(out, "name = {}", quoted(name))?;
    }
    if !service.identity.labels.is_empty() {
        writeln!(out, "labels = {}", labels(&service.identity.labels))?;
    }
    match &service.key {
        ServiceKey::Endpoint { protocol, endpoint } => {
            writeln!(out, "protocol = \"{protocol}\"")?;
            writeln!(out, "address = \"{endpoint}\"")?;
        }
        ServiceKey::Fwmark { fwmark, family } => {
            writeln!(out, "mark = {fwmark}")?;
            if *family == crate::model::Family::Ipv6 {
                writeln!(out, "family = \"ipv6\"")?;
            }
        }
    }
    writeln!(out, "scheduler = {}", quoted(&service.scheduler))?;
    write_options(out, service)?;
    if servers.is_empty() {
        return Ok(());
    }
    writeln!(out, "servers = [")?;
    for server in servers {
        writeln!(out, "  {},", server_table(server))?;
    }
    writeln!(out, "]")
}

fn write_options(out: &mut dyn Write, service: &Service) -> io::Result<()> {
    let options: Vec<_> = SchedulerOption::of(&service.scheduler)
        .filter(|option| service.flags.has(option.flag))
        .map(|option| quoted(option.name))
        .collect();
    if !options.is_empty() {
        writeln!(out, "scheduler-options = [{}]", options.join(", "))?;
    }
    if service.is_persistent() {
        writeln!(out, "persistent = {}", service.timeout)?;
        if service.netmask != Netmask::whole(service.key.family()) {
            let mask = service.netmask.to_string();
            writeln!(
                out,
                "persistence-mask = {}",
                quoted(mask.trim_start_matches('/'))
            )?;
        }
        if let Some(engine) = &service.engine {
            writeln!(out, "persistence-engine = {}", quoted(engine))?;
        }
    }
    if service.flags.has(ServiceFlags::ONE_PACKET) {
        writeln!(out, "one-packet = true")?;
    }
    Ok(())
}

fn server_table(server: &Server) -> String {
    let mut fields = Vec::new();
    if let Some(name) = &server.identity.name {
        fields.push(format!("name = {}", quoted(name)));
    }
    fields.push(format!("address = \"{}\"", server.endpoint));
    fields.push(format!("method = \"{}\"", server.method));
    if let Some(tunnel) = server
        .tunnel
        .filter(|tunnel| *tunnel != Encapsulation::default())
    {
        fields.push(format!("tunnel = {}", tunnel_table(tunnel)));
    }
    fields.push(format!("weight = {}", server.weight));
    for (key, threshold) in [
        ("upper-threshold", server.upper_threshold),
        ("lower-threshold", server.lower_threshold),
    ] {
        if threshold != 0 {
            fields.push(format!("{key} = {threshold}"));
        }
    }
    if !server.identity.labels.is_empty() {
        fields.push(format!("labels = {}", labels(&server.identity.labels)));
    }
    format!("{{ {} }}", fields.join(", "))
}

fn tunnel_table(tunnel: Encapsulation) -> String {
    let mut fields = vec![format!("type = \"{}\"", tunnel.type_name())];
    if tunnel.kind == Encapsulation::GUE {
        fields.push(format!("port = {}", tunnel.port));
    }
    if tunnel.checksum_name() != "none" {
        fields.push(format!("checksum = \"{}\"", tunnel.checksum_name()));
    }
    format!("{{ {} }}", fields.join(", "))
}

fn labels(labels: &Labels) -> String {
    let fields: Vec<_> = labels
        .iter()
        .map(|(key, value)| format!("{} = {}", quoted(key), quoted(value)))
        .collect();
    format!("{{ {} }}", fields.join(", "))
}

/// A text in quotes. What needs to be escaped in one, no name has.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_default())
}

/// What a file can't say of a service or server, for which it would be read otherwise.
pub fn unsayable(described: &ServiceWithServers) -> Option<String> {
    let ServiceWithServers { service, servers } = described;
    let server = servers.iter().find(|server| {
        matches!(
            server.method,
            ForwardingMethod::LocalNode | ForwardingMethod::Bypass | ForwardingMethod::Unknown(_)
        )
    });
    server.map(|server| {
        format!(
            "{} has the server {} with the method {}, which no file can say",
            service.key, server.endpoint, server.method
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration;
    use crate::output::samples;

    fn written(services: &[ServiceWithServers]) -> String {
        let mut out = Vec::new();
        for service in services {
            write(&mut out, service).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn services_are_written_a_line_for_each_server() {
        let mut services = samples::services();
        services.truncate(1);
        services[0].service.identity.name = Some("web".to_string());
        let labels = &mut services[0].servers[0].identity.labels;
        labels.insert("rack".to_string(), "r1".to_string());
        services[0].servers[1].upper_threshold = 9;
        let expected = r#"[[service]]
name = "web"
protocol = "tcp"
address = "192.0.2.10:80"
scheduler = "wlc"
servers = [
  { address = "10.0.0.1:8080", method = "masquerading", weight = 5, labels = { "rack" = "r1" } },
  { address = "10.0.0.2:8080", method = "direct-routing", weight = 0, upper-threshold = 9 },
]
"#;
        assert_eq!(written(&services), expected);
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let mut services = samples::services();
        services[0].servers[1].endpoint.port = 80;
        let [web, dns, _] = &mut services[..] else {
            panic!()
        };
        web.service.flags = ServiceFlags(0x19);
        web.service.scheduler = "mh".to_string();
        (web.service.timeout, web.service.netmask) = (600, Netmask::ipv4(24));
        web.service.engine = Some("sip".to_string());
        dns.service.flags = ServiceFlags(ServiceFlags::ONE_PACKET);
        let read = declaration::read(&written(&services), &[]).unwrap();
        for (declared, service) in read.services.iter().zip(&services) {
            let settings = &declared.settings;
            assert_eq!(declared.key, service.service.key);
            assert_eq!(settings.scheduler, service.service.scheduler);
            // "hashed" is the kernel's own.
            assert_eq!(settings.flags.0, service.service.flags.0 & !2);
            assert_eq!(settings.timeout, service.service.timeout);
            assert_eq!(settings.netmask, service.service.netmask);
            assert_eq!(settings.engine, service.service.engine);
            for (declared, server) in declared.servers.iter().zip(&service.servers) {
                assert_eq!(declared.endpoint, server.endpoint);
                assert_eq!(declared.settings.method, server.method);
                assert_eq!(declared.settings.weight, server.weight);
                assert_eq!(declared.settings.encapsulation, server.tunnel);
            }
        }
        assert_eq!(read.services.len(), 3);
    }
}
