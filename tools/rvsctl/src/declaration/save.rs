// SPDX-License-Identifier: GPL-2.0-only
//! What `ipvsadm -S` prints, with `-n` or without: a command a line, as `ipvsadm -R` takes them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, ToSocketAddrs};

use super::place::{Mistake, Place};
use super::{check, DeclaredServer, DeclaredService};
use crate::model::{
    Encapsulation, Endpoint, Family, ForwardingMethod, Identity, Protocol, SchedulerOption,
    ServiceFlags, ServiceKey,
};
use crate::netlink::{ServerSettings, ServiceSettings};
use crate::parse;

/// Where the names of ports are.
const SERVICES: &str = "/etc/services";

/// Whether a text is of this format: its first command begins with `-`.
pub fn is_save(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_start);
    lines
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .is_some_and(|line| line.starts_with('-'))
}

/// Reads all services.
pub fn read(text: &str) -> Result<Vec<DeclaredService>, Mistake> {
    let mut saved = Saved::default();
    for (number, line) in (1..).zip(text.lines()) {
        let mut words = Words::new(line, number);
        match words.next() {
            None => {}
            Some(("-A" | "--add-service", at)) => saved.add_service(at, &mut words)?,
            Some(("-a" | "--add-server", at)) => saved.add_server(at, &mut words)?,
            Some((word, _)) if word.starts_with('#') => {}
            Some((word, at)) => {
                let message = format!("'{word}' stands where -A or -a is expected");
                return Err(
                    Mistake::new(at, message).tip("the output of ipvsadm -S has only these")
                );
            }
        }
    }
    for service in &saved.services {
        check::servers(&service.servers)?;
    }
    Ok(saved.services)
}

/// The words of a line and their places.
struct Words<'a> {
    line: &'a str,
    number: usize,
    at: usize,
}

impl<'a> Words<'a> {
    fn new(line: &'a str, number: usize) -> Self {
        Self {
            line,
            number,
            at: 0,
        }
    }

    /// The value that an option takes.
    fn value(&mut self, option: (&str, Place)) -> Result<(&'a str, Place), Mistake> {
        let (name, at) = option;
        let missing = || Mistake::new(at, format!("{name} needs a value"));
        self.next().ok_or_else(missing)
    }

    /// A value, read further.
    fn read<T>(
        &mut self,
        option: (&str, Place),
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Mistake> {
        let (text, at) = self.value(option)?;
        read(text).map_err(|reason| Mistake::new(at, format!("{}: {reason}", option.0)))
    }

    fn number(&mut self, option: (&str, Place), max: u32) -> Result<u32, Mistake> {
        self.read(option, |text| {
            let number = text.parse().ok().filter(|number| *number <= max);
            number.ok_or_else(|| format!("'{text}' is not a number from 0 to {max}"))
        })
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = (&'a str, Place);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.line[self.at..];
        let start = self.at + (rest.len() - rest.trim_start().len());
        let word = self.line[start..].split_whitespace().next()?;
        self.at = start + word.len();
        let place = Place {
            line: self.number,
            column: self.line[..start].chars().count() + 1,
        };
        Some((word, place))
    }
}

/// What was read so far.
#[derive(Default)]
struct Saved {
    services: Vec<DeclaredService>,
    positions: HashMap<ServiceKey, usize>,
    /// Numbers of named ports by protocol, once the first name was met.
    ports: Option<HashMap<(String, String), u16>>,
}

/// What names a service in a line: `-t`, `-u`, `--sctp-service` or `-f`, and `-6`.
#[derive(Default)]
struct Named {
    key: Option<ServiceKey>,
    ipv6: bool,
}

impl Named {
    /// The key, or that the line has none.
    fn key(&self, at: Place) -> Result<ServiceKey, Mistake> {
        match self.key {
            Some(ServiceKey::Fwmark { fwmark, .. }) if self.ipv6 => Ok(ServiceKey::Fwmark {
                fwmark,
                family: Family::Ipv6,
            }),
            Some(key) => Ok(key),
            None => {
                let mistake = Mistake::new(at, "the service is missing");
                Err(mistake.tip("it is named by -t, -u, --sctp-service or -f"))
            }
        }
    }
}

const MAX: u32 = i32::MAX as u32;

fn unknown((word, at): (&str, Place)) -> Mistake {
    Mistake::new(
        at,
        format!("'{word}' is no option that ipvsadm -S prints here"),
    )
}

impl Saved {
    /// Takes an option that names a service. Whether it is one.
    fn names_service(
        &mut self,
        named: &mut Named,
        option: (&str, Place),
        words: &mut Words<'_>,
    ) -> Result<bool, Mistake> {
        let protocol = match option.0 {
            "-t" | "--tcp-service" => Protocol::TCP,
            "-u" | "--udp-service" => Protocol::UDP,
            "--sctp-service" => Protocol::SCTP,
            "-f" | "--fwmark-service" => {
                let fwmark = words.read(option, parse::fwmark)?;
                let family = Family::Ipv4;
                named.key = Some(ServiceKey::Fwmark { fwmark, family });
                return Ok(true);
            }
            "-6" | "--ipv6" => {
                named.ipv6 = true;
                return Ok(true);
            }
            _ => return Ok(false),
        };
        let endpoint = words.read(option, |text| self.endpoint(text, protocol))?;
        named.key = Some(ServiceKey::Endpoint { protocol, endpoint });
        Ok(true)
    }

    fn add_service(&mut self, at: Place, words: &mut Words<'_>) -> Result<(), Mistake> {
        let mut named = Named::default();
        let mut settings = ServiceSettings::new(Family::Ipv4, "wlc");
        let (mut mask, mut options) = (None, Vec::new());
        while let Some(option) = words.next() {
            if self.names_service(&mut named, option, words)? {
                continue;
            }
            match option.0 {
                "-s" | "--scheduler" => {
                    settings.scheduler = words.read(option, parse::scheduler)?
                }
                "-p" | "--persistent" => {
                    settings.timeout = words.number(option, parse::MAX_PERSISTENCE)?;
                    settings.set_flags(ServiceFlags::PERSISTENT, true);
                }
                "-M" | "--netmask" => mask = Some((words.read(option, parse::mask)?, option.1)),
                "-o" | "--ops" => settings.set_flags(ServiceFlags::ONE_PACKET, true),
                "-b" | "--sched-flags" => options.push(words.value(option)?),
                "--pe" => settings.engine = Some(words.value(option)?.0.to_string()),
                _ => return Err(unknown(option)),
            }
        }
        let key = named.key(at)?;
        settings.netmask = ServiceSettings::new(key.family(), "").netmask;
        if let Some((mask, at)) = mask {
            let mask = mask.of(key.family());
            settings.netmask = mask.map_err(|right| Mistake::new(at, right))?;
        }
        for (names, at) in options {
            for name in names.split(',') {
                set_option(&mut settings, name).map_err(|reason| Mistake::new(at, reason))?;
            }
        }
        let service = DeclaredService {
            at,
            key,
            identity: Identity::default(),
            settings,
            servers: Vec::new(),
            fingerprint: None,
        };
        self.positions.insert(key, self.services.len());
        self.services.push(service);
        Ok(())
    }

    fn add_server(&mut self, at: Place, words: &mut Words<'_>) -> Result<(), Mistake> {
        let mut named = Named::default();
        let mut settings = ServerSettings::new(ForwardingMethod::DirectRouting, 1);
        let mut tunnel = Encapsulation::default();
        let mut address = None;
        while let Some(option) = words.next() {
            if self.names_service(&mut named, option, words)? {
                continue;
            }
            match option.0 {
                "-r" | "--real-server" => address = Some(words.value(option)?),
                "-m" | "--masquerading" => settings.method = ForwardingMethod::Masquerading,
                "-i" | "--ipip" => settings.method = ForwardingMethod::Tunneling,
                "-g" | "--gatewaying" => settings.method = ForwardingMethod::DirectRouting,
                "-w" | "--weight" => settings.weight = words.number(option, MAX)?,
                "-x" | "--u-threshold" => settings.upper_threshold = words.number(option, MAX)?,
                "-y" | "--l-threshold" => settings.lower_threshold = words.number(option, MAX)?,
                "--tun-type" => tunnel.kind = words.read(option, tunnel_type)?,
                "--tun-port" => {
                    let port = words.number(option, u32::from(u16::MAX))?;
                    tunnel.port = u16::try_from(port).unwrap_or(0);
                }
                "--tun-nocsum" => {}
                "--tun-csum" => tunnel.flags |= Encapsulation::CHECKSUM,
                "--tun-remcsum" => tunnel.flags |= Encapsulation::REMOTE_CHECKSUM,
                _ => return Err(unknown(option)),
            }
        }
        let key = named.key(at)?;
        let missing = || Mistake::new(at, "the real server is missing").tip("it is named by -r");
        let (text, address_at) = address.ok_or_else(missing)?;
        let protocol = match key {
            ServiceKey::Endpoint { protocol, .. } => protocol,
            ServiceKey::Fwmark { .. } => Protocol::TCP,
        };
        let endpoint = self.endpoint(text, protocol);
        let endpoint = endpoint.map_err(|reason| Mistake::new(address_at, reason))?;
        if settings.method == ForwardingMethod::Tunneling {
            settings.encapsulation = Some(tunnel);
        }
        let server = DeclaredServer {
            at,
            endpoint,
            identity: Identity::default(),
            settings,
        };
        let Some(service) = self.positions.get(&key).map(|at| &mut self.services[*at]) else {
            let message = format!("the service {key} has not been added");
            return Err(Mistake::new(at, message).tip("a line with -A comes before those with -a"));
        };
        service.servers.push(server);
        Ok(())
    }

    /// Reads `192.0.2.10:80`, `[2001:db8::1]:80` or `www.example.com:http`.
    fn endpoint(&mut self, text: &str, protocol: Protocol) -> Result<Endpoint, String> {
        if let Ok(endpoint) = parse::endpoint_or_port(text, 0) {
            return Ok(endpoint);
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, self.port(port, protocol)?),
            None => (text, 0),
        };
        let address = address(host)?;
        Ok(Endpoint { address, port })
    }

    /// A port by number or name.
    fn port(&mut self, text: &str, protocol: Protocol) -> Result<u16, String> {
        if let Ok(port) = text.parse() {
            return Ok(port);
        }
        let ports = self.ports.get_or_insert_with(|| {
            named_ports(&std::fs::read_to_string(SERVICES).unwrap_or_default())
        });
        let wanted = (text.to_string(), protocol.to_string());
        let unknown = || format!("'{text}' is not a port: a number, or a name of {SERVICES}");
        ports.get(&wanted).copied().ok_or_else(unknown)
    }
}

fn set_option(settings: &mut ServiceSettings, name: &str) -> Result<(), String> {
    let option = SchedulerOption::of(&settings.scheduler).find(|it| it.name == name);
    let flag = match (option.map(|option| option.flag), name) {
        (Some(flag), _) => flag,
        (None, "flag-1") => 0x08,
        (None, "flag-2") => 0x10,
        (None, "flag-3") => 0x20,
        (None, _) => return Err(format!("'{name}' is no option of {}", settings.scheduler)),
    };
    settings.set_flags(flag, true);
    Ok(())
}

fn tunnel_type(text: &str) -> Result<u8, String> {
    match text {
        "ipip" => Ok(Encapsulation::IPIP),
        "gue" => Ok(Encapsulation::GUE),
        "gre" => Ok(Encapsulation::GRE),
        _ => Err(format!("'{text}' is none of ipip, gue, gre")),
    }
}

/// An address by number or name.
fn address(host: &str) -> Result<IpAddr, String> {
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    if let Some(address) = bare.and_then(|bare| bare.parse::<Ipv6Addr>().ok()) {
        return Ok(address.into());
    }
    let host = bare.unwrap_or(host);
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    let found = (host, 0).to_socket_addrs().ok();
    let found = found.and_then(|mut addresses| addresses.next());
    let unknown = || format!("no address of '{host}' is known; ipvsadm -S -n prints addresses");
    found.map(|it| it.ip()).ok_or_else(unknown)
}

/// The lines of a file like `/etc/services`: name, port/protocol, other names.
fn named_ports(text: &str) -> HashMap<(String, String), u16> {
    let mut ports = HashMap::new();
    for line in text.lines() {
        let mut words = line
            .split('#')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let (Some(name), Some(place)) = (words.next(), words.next()) else {
            continue;
        };
        let Some((port, protocol)) = place.split_once('/') else {
            continue;
        };
        let Ok(port) = port.parse() else { continue };
        for name in std::iter::once(name).chain(words) {
            let name = (name.to_string(), protocol.to_string());
            ports.entry(name).or_insert(port);
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = "\
-A -t 192.0.2.1:80 -s wlc
-a -t 192.0.2.1:80 -r 10.1.0.11:8080 -m -w 1
-a -t 192.0.2.1:80 -r 10.1.0.12:80 -i -w 2 -x 9 -y 5 --tun-type gue --tun-port 6080 --tun-remcsum
-A -u 192.0.2.1:53 -s rr -o
-A -f 7 -6 -s sh -p 600 -M 64 -b sh-fallback,sh-port
-a -f 7 -6 -r [2001:db8::11]:0 -g -w 1
-A -u 192.0.2.1:5060 -s rr -p 60 --pe sip
";

    #[test]
    fn what_ipvsadm_saves_is_read() {
        assert!(is_save(SAVED) && is_save("# saved\n\n -A"));
        assert!(!is_save("[[service]]\n") && !is_save(""));
        let services = read(SAVED).unwrap();
        let keys: Vec<_> = services.iter().map(|it| it.key.to_string()).collect();
        assert_eq!(
            keys,
            [
                "tcp 192.0.2.1:80",
                "udp 192.0.2.1:53",
                "mark 7 --ipv6",
                "udp 192.0.2.1:5060"
            ]
        );
        let [web, dns, mark, sip] = &services[..] else {
            panic!()
        };
        let [nat, gue] = &web.servers[..] else {
            panic!()
        };
        assert_eq!(nat.endpoint.to_string(), "10.1.0.11:8080");
        assert_eq!(nat.settings.method, ForwardingMethod::Masquerading);
        assert_eq!(
            (gue.settings.upper_threshold, gue.settings.lower_threshold),
            (9, 5)
        );
        let tunnel = gue.settings.encapsulation.unwrap();
        assert_eq!((tunnel.kind, tunnel.port, tunnel.flags), (1, 6080, 2));
        assert!(dns.settings.flags.has(ServiceFlags::ONE_PACKET));
        assert_eq!(mark.settings.flags, ServiceFlags(0x19));
        assert_eq!(mark.settings.netmask.to_string(), "/64");
        assert_eq!(mark.servers[0].endpoint.to_string(), "[2001:db8::11]:any");
        assert_eq!(sip.settings.engine.as_deref(), Some("sip"));
    }

    #[test]
    fn names_of_hosts_and_ports_are_looked_up() {
        let mut saved = Saved {
            ports: Some(named_ports("http 80/tcp www # web\nhttp 81/udp\n")),
            ..Saved::default()
        };
        for (name, protocol, expected) in [
            ("127.0.0.1:http", Protocol::TCP, "127.0.0.1:80"),
            ("127.0.0.1:www", Protocol::TCP, "127.0.0.1:80"),
            ("127.0.0.1:http", Protocol::UDP, "127.0.0.1:81"),
            ("[::1]:http", Protocol::TCP, "[::1]:80"),
        ] {
            assert_eq!(
                saved.endpoint(name, protocol).unwrap().to_string(),
                expected
            );
        }
        let reason = saved
            .endpoint("127.0.0.1:gopher", Protocol::TCP)
            .unwrap_err();
        assert!(reason.contains("'gopher' is not a port"), "{reason}");
    }

    #[test]
    fn mistakes_tell_line_and_column() {
        for (text, line, column, message) in [
            ("-A -t 192.0.2.1:80\n-D -t 192.0.2.1:80", 2, 1, "'-D'"),
            ("-A -t 192.0.2.1:80 -s", 1, 20, "-s needs a value"),
            ("-A -s rr", 1, 1, "the service is missing"),
            ("-A -t 192.0.2.1:80 -z", 1, 20, "'-z'"),
            (
                "-a -t 192.0.2.1:80 -r 10.0.0.1:80",
                1,
                1,
                "has not been added",
            ),
            (
                "-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80",
                2,
                1,
                "real server is missing",
            ),
            (
                "-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -w x",
                2,
                38,
                "'x'",
            ),
            ("-A -t 192.0.2.1:80 -b mh-port", 1, 23, "'mh-port'"),
        ] {
            let mistake = read(text).unwrap_err();
            assert_eq!(
                (mistake.at.line, mistake.at.column),
                (line, column),
                "{text}: {mistake:?}"
            );
            assert!(mistake.message.contains(message), "{text}: {mistake:?}");
        }
    }
}
