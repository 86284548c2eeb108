// SPDX-License-Identifier: GPL-2.0-only
//! The format of this program: TOML, with a table for each service.

use toml::de::DeTable;

use super::check;
use super::fields::Fields;
use super::place::{Lines, Mistake, Place};
use super::sections::Section;
use super::{DeclaredServer, DeclaredService};
use crate::model::{
    Encapsulation, Endpoint, Family, ForwardingMethod, Identity, Netmask, Protocol,
    SchedulerOption, ServiceFlags, ServiceKey, OPTIONS,
};
use crate::netlink::{ServerSettings, ServiceSettings};
use crate::parse;

/// What a file has at its top.
const FILE: [&str; 1] = ["service"];

const SERVICE: [&str; 13] = [
    "name",
    "labels",
    "protocol",
    "address",
    "mark",
    "family",
    "scheduler",
    "scheduler-options",
    "persistent",
    "persistence-mask",
    "persistence-engine",
    "one-packet",
    "servers",
];

const SERVER: [&str; 8] = [
    "name",
    "labels",
    "address",
    "method",
    "weight",
    "upper-threshold",
    "lower-threshold",
    "tunnel",
];

const TUNNEL: [&str; 3] = ["type", "port", "checksum"];

const PROTOCOLS: [(&str, Protocol); 3] = [
    ("tcp", Protocol::TCP),
    ("udp", Protocol::UDP),
    ("sctp", Protocol::SCTP),
];

const FAMILIES: [(&str, Family); 2] = [("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)];

const METHODS: [(&str, ForwardingMethod); 3] = [
    ("direct-routing", ForwardingMethod::DirectRouting),
    ("tunneling", ForwardingMethod::Tunneling),
    ("masquerading", ForwardingMethod::Masquerading),
];

/// Largest number the kernel takes for weights, thresholds and timeouts.
const MAX: u32 = i32::MAX as u32;

/// Reads the services of a section.
pub fn read(section: &Section<'_>) -> Result<Vec<DeclaredService>, Mistake> {
    let lines = Lines::new(section.text, section.line);
    let document = DeTable::parse(section.text).map_err(|error| {
        let at = lines.place(&error.span().unwrap_or_default());
        Mistake::new(at, error.message().replace('\n', ", "))
    })?;
    let file = Fields::new(document.get_ref(), section.place(), "a file", &FILE, &lines)?;
    file.tables("service", "a service", &SERVICE)?
        .iter()
        .map(service)
        .collect()
}

fn service(fields: &Fields<'_>) -> Result<DeclaredService, Mistake> {
    let key = key(fields)?;
    let mut settings = ServiceSettings::new(key.family(), "wlc");
    if let Some(scheduler) = fields.read("scheduler", parse::scheduler)? {
        settings.scheduler = scheduler;
    }
    for (name, at) in fields.texts("scheduler-options")? {
        let option = option(name, &settings.scheduler).map_err(|it| Mistake { at, ..it })?;
        settings.set_flags(option.flag, true);
    }
    persistence(fields, &key, &mut settings)?;
    if fields.truth("one-packet")? {
        check::one_packet(&key, fields.place("one-packet"))?;
        settings.set_flags(ServiceFlags::ONE_PACKET, true);
    }
    check::all_ports(&key, &settings, fields.place("address"))?;
    let mut servers = Vec::new();
    for fields in fields.tables("servers", "a server", &SERVER)? {
        servers.push(server(&fields, &key)?);
    }
    check::servers(&servers)?;
    Ok(DeclaredService {
        at: fields.at,
        key,
        identity: identity(fields)?,
        settings,
        servers,
        fingerprint: None,
    })
}

fn key(fields: &Fields<'_>) -> Result<ServiceKey, Mistake> {
    if let Some(fwmark) = fields.number("mark", 1..=u32::MAX)? {
        for key in ["protocol", "address"] {
            if fields.has(key) {
                let message = format!("'{key}' means nothing beside 'mark'");
                let tip = "a service has a mark, or else protocol and address";
                return Err(Mistake::new(fields.place(key), message).tip(tip));
            }
        }
        let family = fields.choice("family", &FAMILIES)?.unwrap_or(Family::Ipv4);
        return Ok(ServiceKey::Fwmark { fwmark, family });
    }
    if fields.has("family") {
        let mistake = Mistake::new(
            fields.place("family"),
            "'family' means nothing without 'mark'",
        );
        return Err(mistake.tip("an address has its own family"));
    }
    let missing = |key, example| fields.missing(key, example);
    let protocol = fields.choice("protocol", &PROTOCOLS)?;
    let endpoint = fields.read("address", parse::endpoint)?;
    Ok(ServiceKey::Endpoint {
        protocol: protocol.ok_or_else(|| missing("protocol", "\"tcp\""))?,
        endpoint: endpoint.ok_or_else(|| missing("address", "\"192.0.2.10:80\""))?,
    })
}

fn option(name: &str, scheduler: &str) -> Result<&'static SchedulerOption, Mistake> {
    let own: Vec<_> = SchedulerOption::of(scheduler).map(|it| it.name).collect();
    let found = SchedulerOption::of(scheduler).find(|option| option.name == name);
    found.ok_or_else(|| {
        let nowhere = Place { line: 1, column: 1 };
        let message = format!("'{name}' is no option of the scheduler {scheduler}");
        let tip = match own.is_empty() {
            true => {
                let all = OPTIONS.map(|option| option.name).join(", ");
                format!("{scheduler} has no options; sh and mh have: {all}")
            }
            false => format!("{scheduler} has: {}", own.join(", ")),
        };
        Mistake::new(nowhere, message).tip(tip)
    })
}

fn persistence(
    fields: &Fields<'_>,
    key: &ServiceKey,
    settings: &mut ServiceSettings,
) -> Result<(), Mistake> {
    let timeout = fields.number("persistent", 1..=parse::MAX_PERSISTENCE)?;
    if let Some(timeout) = timeout {
        settings.timeout = timeout;
        settings.set_flags(ServiceFlags::PERSISTENT, true);
    }
    let needs = |name: &str| {
        let message = format!("'{name}' means nothing: the service is not persistent");
        Mistake::new(fields.place(name), message).tip("add: persistent = 300")
    };
    if let Some(mask) = fields.read("persistence-mask", parse::mask)? {
        if timeout.is_none() {
            return Err(needs("persistence-mask"));
        }
        settings.netmask = mask.of(key.family()).map_err(|right| {
            let message = "'persistence-mask' does not fit the family of the service";
            Mistake::new(fields.place("persistence-mask"), message).tip(right)
        })?;
    } else {
        settings.netmask = Netmask::whole(key.family());
    }
    settings.engine = fields
        .choice("persistence-engine", &[("sip", "sip")])?
        .map(str::to_string);
    if settings.engine.is_some() && timeout.is_none() {
        return Err(needs("persistence-engine"));
    }
    Ok(())
}

fn identity(fields: &Fields<'_>) -> Result<Identity, Mistake> {
    Ok(Identity {
        name: fields.read("name", parse::name)?,
        labels: fields.labels("labels")?,
    })
}

fn server(fields: &Fields<'_>, key: &ServiceKey) -> Result<DeclaredServer, Mistake> {
    let endpoint: Option<Endpoint> =
        fields.read("address", |text| parse::endpoint_or_port(text, key.port()))?;
    let endpoint = endpoint.ok_or_else(|| fields.missing("address", "\"10.0.0.1:8080\""))?;
    let method = fields.choice("method", &METHODS)?;
    let method = method.unwrap_or(ForwardingMethod::DirectRouting);
    let mut settings = ServerSettings::new(method, fields.number("weight", 0..=MAX)?.unwrap_or(1));
    let threshold = |key| Ok(fields.number(key, 0..=MAX)?.unwrap_or(0));
    settings.upper_threshold = threshold("upper-threshold")?;
    settings.lower_threshold = threshold("lower-threshold")?;
    settings.encapsulation = tunnel(fields, method)?;
    let server = DeclaredServer {
        at: fields.at,
        endpoint,
        identity: identity(fields)?,
        settings,
    };
    check::server(key, &server, |key| fields.place(key))?;
    Ok(server)
}

fn tunnel(fields: &Fields<'_>, method: ForwardingMethod) -> Result<Option<Encapsulation>, Mistake> {
    let Some(tunnel) = fields.table("tunnel", "a tunnel", &TUNNEL)? else {
        return Ok(None);
    };
    let wrong = |key: &str, message: &str, tip: &str| {
        Err(Mistake::new(tunnel.place(key), message).tip(tip))
    };
    if method != ForwardingMethod::Tunneling {
        let message = format!("a server that is reached by {method} has no tunnel");
        return Err(Mistake::new(tunnel.at, message).tip("take: method = \"tunneling\""));
    }
    let kinds = [
        ("ipip", Encapsulation::IPIP),
        ("gue", Encapsulation::GUE),
        ("gre", Encapsulation::GRE),
    ];
    let kind = tunnel.choice("type", &kinds)?;
    let kind = kind.ok_or_else(|| tunnel.missing("type", "\"gue\""))?;
    let port = tunnel.number("port", 1..=u32::from(u16::MAX))?;
    if (kind == Encapsulation::GUE) != port.is_some() {
        return match port {
            None => Err(tunnel.missing("port", "6080")),
            Some(_) => wrong("port", "only gue has a port", "leave it out"),
        };
    }
    let checksums = [
        ("none", 0),
        ("full", Encapsulation::CHECKSUM),
        ("remote", Encapsulation::REMOTE_CHECKSUM),
    ];
    let flags = tunnel.choice("checksum", &checksums)?.unwrap_or(0);
    match (kind, flags) {
        (Encapsulation::IPIP, 1..) => {
            return wrong(
                "checksum",
                "ipip has no checksum of its own",
                "leave it out",
            )
        }
        (Encapsulation::GRE, Encapsulation::REMOTE_CHECKSUM) => {
            let message = "gre can not have checksums completed at the far end";
            return wrong("checksum", message, "take: checksum = \"full\"");
        }
        _ => {}
    }
    Ok(Some(Encapsulation {
        kind,
        // In range by the check above.
        port: port.and_then(|port| u16::try_from(port).ok()).unwrap_or(0),
        flags,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::sections::split;

    fn services(text: &str) -> Result<Vec<DeclaredService>, Mistake> {
        let mut services = Vec::new();
        for section in split(text) {
            services.extend(read(&section)?);
        }
        Ok(services)
    }

    const WEB: &str = "[[service]]\nprotocol = \"tcp\"\naddress = \"192.0.2.10:80\"\n";

    #[test]
    fn a_service_with_everything_is_read() {
        let text = r#"
[[service]]
name = "web"
labels = { tier = "front" }
protocol = "tcp"
address = "192.0.2.10:80"
scheduler = "sh"
scheduler-options = ["sh-port", "sh-fallback"]
persistent = 600
persistence-mask = "24"
servers = [
  { name = "web1", address = "10.0.0.1:8080", method = "masquerading", weight = 5, upper-threshold = 100, lower-threshold = 70 },
  { address = "198.51.100.9", method = "tunneling", tunnel = { type = "gue", port = 6080, checksum = "remote" } },
]
"#;
        let service = &services(text).unwrap()[0];
        assert_eq!(service.key.to_string(), "tcp 192.0.2.10:80");
        assert_eq!(service.identity.name.as_deref(), Some("web"));
        assert_eq!(service.identity.labels["tier"], "front");
        assert_eq!(service.settings.scheduler, "sh");
        assert_eq!(service.settings.flags, ServiceFlags(0x19));
        assert_eq!(service.settings.timeout, 600);
        assert_eq!(service.settings.netmask, Netmask::ipv4(24));
        let [web1, far] = &service.servers[..] else {
            panic!("{service:?}")
        };
        assert_eq!(web1.identity.name.as_deref(), Some("web1"));
        assert_eq!(web1.endpoint.to_string(), "10.0.0.1:8080");
        assert_eq!(web1.settings.weight, 5);
        assert_eq!(web1.settings.upper_threshold, 100);
        assert_eq!(far.endpoint.to_string(), "198.51.100.9:80");
        assert_eq!((far.at.line, far.at.column), (13, 3));
        let tunnel = far.settings.encapsulation.unwrap();
        assert_eq!((tunnel.kind, tunnel.port, tunnel.flags), (1, 6080, 2));
    }

    #[test]
    fn what_is_left_out_is_as_on_the_command_line() {
        let text = format!("{WEB}[[service.servers]]\naddress = \"10.0.0.1\"\n");
        let service = &services(&text).unwrap()[0];
        assert_eq!(service.settings, ServiceSettings::new(Family::Ipv4, "wlc"));
        let server = &service.servers[0];
        assert_eq!(server.endpoint.to_string(), "10.0.0.1:80");
        assert_eq!(
            server.settings,
            ServerSettings::new(ForwardingMethod::DirectRouting, 1)
        );
    }

    #[test]
    fn marks_have_a_family() {
        let text = "[[service]]\nmark = 0x10\n[[service]]\nmark = 16\nfamily = \"ipv6\"\n";
        let keys: Vec<_> = services(text)
            .unwrap()
            .iter()
            .map(|it| it.key.to_string())
            .collect();
        assert_eq!(keys, ["mark 16", "mark 16 --ipv6"]);
    }

    #[test]
    fn mistakes_tell_line_column_and_what_would_be_right() {
        for (added, line, column, message, tip) in [
            (
                "wieght = 3",
                4,
                1,
                "a service has no 'wieght'",
                "a service has: name",
            ),
            (
                "sheduler = \"rr\"",
                4,
                1,
                "no 'sheduler'",
                "exists: 'scheduler'",
            ),
            (
                "scheduler = 3",
                4,
                13,
                "'scheduler' is a number",
                "a text in quotes is expected",
            ),
            (
                "persistent = \"x\"",
                4,
                14,
                "is a text",
                "a number from 1 to 2678400",
            ),
            ("persistent = 0", 4, 14, "cannot be 0", "from 1 to 2678400"),
            (
                "persistence-mask = \"24\"",
                4,
                20,
                "not persistent",
                "persistent = 300",
            ),
            ("one-packet = true", 4, 14, "tcp", "udp"),
            (
                "scheduler-options = [\"mh-port\"]",
                4,
                22,
                "'mh-port'",
                "wlc has no options",
            ),
            ("name = \"-x\"", 4, 8, "a name is a letter", ""),
            ("labels = { 9 = \"x\" }", 4, 12, "a label", ""),
            ("labels = { a = 9 }", 4, 16, "'a' is a number", "a text"),
            ("scheduler = \"rr", 4, 16, "string", ""),
            (
                "servers = [{ weight = 3 }]",
                4,
                12,
                "needs 'address'",
                "10.0.0.1:8080",
            ),
            (
                "servers = [{ address = \"x\" }]",
                4,
                24,
                "'x' is not an IP address",
                "",
            ),
            (
                "servers = [{ address = \"10.0.0.1\", wieght = 3 }]",
                4,
                36,
                "'wieght'",
                "'weight'",
            ),
            (
                "servers = [{ address = \"10.0.0.1\", method = \"nat\" }]",
                4,
                45,
                "'nat'",
                "masq",
            ),
            (
                "servers = [{ address = \"10.0.0.1:81\" }]",
                4,
                24,
                "cannot change the port",
                "masq",
            ),
            (
                "servers = [{ address = \"[::1]\" }]",
                4,
                24,
                "cannot change the family",
                "tunneling",
            ),
            (
                "servers = [{ address = \"10.0.0.1\", lower-threshold = 3 }]",
                4,
                54,
                "(3)",
                "upper",
            ),
            (
                "servers = [{ address = \"10.0.0.1\" }, { address = \"10.0.0.1\" }]",
                4,
                38,
                "10.0.0.1:80",
                "",
            ),
            (
                "servers = [{ address = \"10.0.0.1\", tunnel = { type = \"gre\" } }]",
                4,
                45,
                "no tunnel",
                "method",
            ),
            (
                "mark = 7",
                2,
                12,
                "'protocol' means nothing",
                "a mark, or else",
            ),
        ] {
            let mistake = services(&format!("{WEB}{added}\n")).unwrap_err();
            let at = (mistake.at.line, mistake.at.column);
            assert_eq!(at, (line, column), "{added}: {mistake:?}");
            assert!(mistake.message.contains(message), "{added}: {mistake:?}");
            assert!(mistake.tip.unwrap_or_default().contains(tip), "{added}");
        }
    }

    #[test]
    fn a_service_for_all_ports_is_persistent() {
        let text = WEB.replace(":80", ":any");
        let mistake = services(&text).unwrap_err();
        assert_eq!((mistake.at.line, mistake.at.column), (3, 11));
        assert!(
            mistake.message.contains("without persistence"),
            "{mistake:?}"
        );
        assert!(services(&format!("{text}persistent = 300\n")).is_ok());
    }

    #[test]
    fn what_stands_before_the_first_service_is_read_too() {
        let mistake = services(&format!("# web\nservces = []\n{WEB}")).unwrap_err();
        assert_eq!((mistake.at.line, mistake.at.column), (2, 1));
        assert_eq!(
            mistake.tip.as_deref(),
            Some("a similar key exists: 'service'")
        );
    }
}
