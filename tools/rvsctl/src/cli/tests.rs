// SPDX-License-Identifier: GPL-2.0-only
//! Lines that are understood, lines that are refused and how, and the help.

use clap::CommandFactory;

use super::help;
use super::*;
use crate::output::samples::fits;

fn parse(line: &str) -> Result<Command, String> {
    let words: Vec<_> = line.split_whitespace().map(Into::into).collect();
    Cli::read(&words)
        .map(|cli| cli.command)
        .map_err(|error| error.to_string())
}

/// The address of a server that is named by it.
fn at(server: &ServerRef) -> String {
    let (ServiceRef::Key(key), EndpointRef::Address(address, port)) =
        (&server.service, &server.server)
    else {
        panic!("{server:?}");
    };
    let (address, port) = (*address, port.unwrap_or(key.port()));
    crate::model::Endpoint { address, port }.to_string()
}

#[test]
fn the_declaration_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn a_service_is_named_by_protocol_and_address() {
    let line = "rvsctl service add tcp 192.0.2.10:80";
    let Ok(Command::Service(ServiceCommand::Add {
        service, scheduler, ..
    })) = parse(line)
    else {
        panic!("{line}");
    };
    assert_eq!(service.0.to_string(), "tcp 192.0.2.10:80");
    assert_eq!(scheduler, "wlc");
}

#[test]
fn a_service_is_named_by_firewall_mark_and_for_all_ports_too() {
    for (name, expected) in [
        ("sctp [2001:db8::10]:3868", "sctp [2001:db8::10]:3868"),
        ("tcp 192.0.2.10:any", "tcp 192.0.2.10:any"),
        ("tcp 192.0.2.10:0", "tcp 192.0.2.10:any"),
        ("mark 7", "mark 7"),
        ("mark 0x10", "mark 16"),
        ("fwmark 7", "mark 7"),
        ("mark 7 --ipv6", "mark 7 --ipv6"),
        ("--ipv6 mark 7", "mark 7 --ipv6"),
    ] {
        for command in ["service del", "zero", "service list", "server list"] {
            let line = format!("rvsctl {command} {name}");
            let service = match parse(&line) {
                Ok(Command::Service(ServiceCommand::Del { service })) => service.0,
                Ok(Command::Zero(service)) => service.0.unwrap(),
                Ok(
                    Command::Service(ServiceCommand::List(arguments))
                    | Command::Server(ServerCommand::List(arguments)),
                ) => arguments.service.0.unwrap(),
                other => panic!("{line}: {other:?}"),
            };
            assert_eq!(service.to_string(), expected, "{line}");
        }
    }
}

#[test]
fn services_and_servers_are_named_by_their_names_too() {
    for line in [
        "rvsctl service del web",
        "rvsctl zero web",
        "rvsctl service list web",
    ] {
        let service = match parse(line) {
            Ok(Command::Service(ServiceCommand::Del { service })) => service.0,
            Ok(Command::Zero(service)) => service.0.unwrap(),
            Ok(Command::Service(ServiceCommand::List(arguments))) => arguments.service.0.unwrap(),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(service, ServiceRef::Name("web".to_string()), "{line}");
    }
    let name = |name: &str| EndpointRef::Name(name.to_string());
    let address = EndpointRef::Address([10, 0, 0, 1].into(), None);
    for (words, server) in [
        ("web web1", name("web1")),
        ("web 10.0.0.1", address.clone()),
        ("tcp 192.0.2.10:80 web1", name("web1")),
        ("tcp 192.0.2.10:80 10.0.0.1", address),
    ] {
        let line = format!("rvsctl server del {words}");
        let Ok(Command::Server(ServerCommand::Del { server: found })) = parse(&line) else {
            panic!("{line}");
        };
        assert_eq!(found.0.server, server, "{line}");
    }
}

#[test]
fn a_server_of_a_mark_has_no_port_unless_it_is_given() {
    for (line, expected) in [
        ("rvsctl server del mark 7 10.0.0.1", "10.0.0.1:any"),
        ("rvsctl server del mark 7 10.0.0.1:any", "10.0.0.1:any"),
        ("rvsctl server del mark 7 10.0.0.1:8080", "10.0.0.1:8080"),
        (
            "rvsctl server del mark 7 --ipv6 [2001:db8::2]",
            "[2001:db8::2]:any",
        ),
    ] {
        let Ok(Command::Server(ServerCommand::Del { server })) = parse(line) else {
            panic!("{line}");
        };
        assert_eq!(at(&server.0), expected, "{line}");
    }
}

#[test]
fn a_server_without_port_has_that_of_its_service() {
    let line = "rvsctl server add udp [2001:db8::10]:53 [2001:db8::2]";
    let Ok(Command::Server(ServerCommand::Add {
        server,
        method,
        weight,
        ..
    })) = parse(line)
    else {
        panic!("{line}");
    };
    assert_eq!(server.0.service.to_string(), "udp [2001:db8::10]:53");
    assert_eq!(at(&server.0), "[2001:db8::2]:53");
    assert_eq!((method, weight), (Method::DirectRouting, 1));
}

#[test]
fn methods_have_short_names() {
    for (name, expected) in [
        ("masquerading", Method::Masquerading),
        ("nat", Method::Masquerading),
        ("tunneling", Method::Tunneling),
        ("tunnel", Method::Tunneling),
        ("direct-routing", Method::DirectRouting),
        ("direct", Method::DirectRouting),
    ] {
        let line = format!("rvsctl server add tcp 192.0.2.10:80 10.0.0.1 --method {name}");
        let Ok(Command::Server(ServerCommand::Add { method, .. })) = parse(&line) else {
            panic!("{line}");
        };
        assert_eq!(method, expected);
    }
}

#[test]
fn netns_is_taken_before_and_after_the_command() {
    for line in ["rvsctl --netns blue stats", "rvsctl stats --netns blue"] {
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        assert_eq!(cli.global.netns.as_deref(), Some("blue"));
    }
}

#[test]
fn wrong_lines_are_refused_with_the_argument_and_what_would_be_right() {
    for (line, argument, expected) in [
        (
            "rvsctl service add tcp 192.0.2.10",
            "'192.0.2.10' for '<ADDRESS:PORT>'",
            "as in 192.0.2.10:80",
        ),
        (
            "rvsctl service add icmp 192.0.2.10:80",
            "'icmp' for '<PROTOCOL>'",
            "tcp, udp, sctp, mark]",
        ),
        (
            "rvsctl service add 192.0.2.10:80",
            "'192.0.2.10:80' for '<PROTOCOL>'",
            "tcp, udp, sctp, mark]",
        ),
        ("rvsctl service add tcp", "<ADDRESS:PORT>", "required"),
        (
            "rvsctl service add mark web",
            "'web' for '<MARK>'",
            "1 to 4294967295",
        ),
        (
            "rvsctl service add web",
            "'web' for '<PROTOCOL>'",
            "tcp, udp, sctp, mark]",
        ),
        (
            "rvsctl service del web 192.0.2.10:80",
            "'web' for '<PROTOCOL>'",
            "stands alone",
        ),
        (
            "rvsctl service del 192.0.2.10:80",
            "'192.0.2.10:80' for '<PROTOCOL>'",
            "tcp, udp, sctp",
        ),
        ("rvsctl server del web", "<SERVER[:PORT]>", "required"),
        (
            "rvsctl server add web web1",
            "'web1' for '<SERVER[:PORT]>'",
            "names are not looked up",
        ),
        (
            "rvsctl service add mark 7 --name 9",
            "'9' for '--name <NAME>'",
            "is a letter",
        ),
        (
            "rvsctl service add mark 7 --name tcp",
            "'tcp' for '--name <NAME>'",
            "cannot be a name",
        ),
        (
            "rvsctl service add mark 7 --label x",
            "'x' for '--label <KEY=VALUE>'",
            "such as tier=",
        ),
        (
            "rvsctl service add tcp 192.0.2.10:80 --scheduler least+conn",
            "'least+conn' for '--scheduler <NAME>'",
            "such as wlc",
        ),
        (
            "rvsctl server add tcp 192.0.2.10:80 web1",
            "'web1' for '<SERVER[:PORT]>'",
            "names are not looked up",
        ),
        (
            "rvsctl server add tcp 192.0.2.10:80 10.0.0.1 --method natt",
            "'natt' for '--method <METHOD>'",
            "direct-routing, tunneling, masquerading",
        ),
        (
            "rvsctl server add tcp 192.0.2.10:80 10.0.0.1 --weight -1",
            "'-1'",
            "usage: rvsctl server add",
        ),
        (
            "rvsctl server add tcp 192.0.2.10:80 10.0.0.1 --weight 2147483648",
            "'2147483648' for '--weight",
            "0..=2147483647",
        ),
        (
            "rvsctl server set tcp 192.0.2.10:80 10.0.0.1",
            "--weight",
            "required",
        ),
        (
            "rvsctl server add tcp 192.0.2.10:80 10.0.0.1 --tunnel-type vxlan",
            "'vxlan' for '--tunnel-type <TYPE>'",
            "ipip, gue, gre",
        ),
        (
            "rvsctl server add tcp 192.0.2.10:80 10.0.0.1 --tunnel-port 0",
            "'0' for '--tunnel-port <PORT>'",
            "1..=65535",
        ),
        ("rvsctl service list tcp", "<ADDRESS:PORT>", "required"),
        (
            "rvsctl service list --stats --rate",
            "--rate",
            "cannot be used with",
        ),
        (
            "rvsctl service add tpcp 192.0.2.10:80",
            "'tpcp' for '<PROTOCOL>'",
            "a similar value exists: 'tcp'",
        ),
        (
            "rvsctl service add tcp 192.0.2.10:80 --ipv6",
            "'--ipv6' cannot be used with the address 192.0.2.10:80",
            "mark 7 --ipv6",
        ),
        ("rvsctl service list --ipv6", "<PROTOCOL>", "required"),
        (
            "rvsctl service add tcp 192.0.2.10:80 --option sh-prt",
            "'sh-prt' for '--option <NAME>'",
            "a similar value exists: 'sh-port'",
        ),
        (
            "rvsctl service add tcp 192.0.2.10:80 --persistent=0",
            "'0' for '--persistent[=<SECONDS>]'",
            "1..=2678400",
        ),
        (
            "rvsctl service add tcp 192.0.2.10:80 --persistent 300",
            "'300'",
            "'--persistent=300'",
        ),
        (
            "rvsctl service add tcp 192.0.2.10:80 --persistence-mask 255.0.0.255",
            "'255.0.0.255' for '--persistence-mask <MASK>'",
            "ones of a netmask come first",
        ),
        (
            "rvsctl service add tcp 192.0.2.10:80 --persistance",
            "'--persistance'",
            "'--persistent'",
        ),
        (
            "rvsctl service set tcp 192.0.2.10:80",
            "--no-persistent",
            "required",
        ),
        (
            "rvsctl service set tcp 192.0.2.10:80 --no-persistent --persistent",
            "--no-persistent",
            "cannot be used with",
        ),
        (
            "rvsctl server add tcp 192.0.2.10:80 10.0.0.1 --upper-threshold 2147483648",
            "'2147483648' for '--upper-threshold <N>'",
            "0..=2147483647",
        ),
        ("rvsctl timeout set", "--tcp-fin", "required"),
        ("rvsctl timeout set --udp 0", "'0' for '--udp", "1.."),
        ("rvsctl services", "services", "'service'"),
        (
            "rvsctl conn list --service tcp",
            "<ADDRESS:PORT>",
            "required",
        ),
        (
            "rvsctl conn list --service icmp 192.0.2.10:80",
            "'icmp' for '<PROTOCOL>'",
            "tcp, udp, sctp, mark",
        ),
        (
            "rvsctl conn kill --server web1",
            "'web1' for '<SERVER[:PORT]>'",
            "which --service names",
        ),
        (
            "rvsctl conn list --client 203.0.113.0/40",
            "'203.0.113.0/40' for '--client <CLIENT>'",
            "0 to 32",
        ),
        (
            "rvsctl conn list --min-age soon",
            "'soon' for '--min-age <DURATION>'",
            "90s, 15m, 2h, 1d",
        ),
        (
            "rvsctl conn list --count --sort age",
            "--count",
            "cannot be used with",
        ),
        (
            "rvsctl server drain tcp 192.0.2.10:80 10.0.0.1 --drop",
            "--timeout",
            "required",
        ),
        (
            "rvsctl server drain tcp 192.0.2.10:80 10.0.0.1 --timeout 5m --drop --reset",
            "--drop",
            "cannot be used with",
        ),
        (
            "rvsctl explain tcp 203.0.113.7 192.0.2.10:80",
            "'203.0.113.7' for '<CLIENT:PORT>'",
            "the port is missing",
        ),
        (
            "rvsctl explain tcp 203.0.113.7:1 [2001:db8::10]:80",
            "203.0.113.7 and 2001:db8::10",
            "different families",
        ),
        ("rvsctl conn list --reverse", "--sort", "required"),
    ] {
        let message = parse(line).map(|_| ()).unwrap_err();
        assert!(message.contains(argument), "{line}: {message}");
        assert!(
            message.to_lowercase().contains(&expected.to_lowercase()),
            "{line}: {message}"
        );
    }
}

#[test]
fn between_the_ends_of_a_flow_may_stand_an_arrow() {
    for between in [" ", " -> ", " to "] {
        let line = format!("rvsctl explain tcp 203.0.113.7:4711{between}192.0.2.10:80 --mark 7");
        let Ok(Command::Explain(arguments)) = parse(&line) else {
            panic!("{line}");
        };
        let expected = "tcp 203.0.113.7:4711 -> 192.0.2.10:80, mark 7";
        assert_eq!(arguments.flow.0.to_string(), expected);
    }
}

#[test]
fn help_of_every_command_fits_80_columns() {
    fn check(command: &mut clap::Command) {
        // What stands below the options is wrapped too, but loses its indentation.
        fits(
            80,
            &command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default(),
        );
        let text = command.render_long_help().to_string();
        fits(80, &text);
        for command in command.get_subcommands_mut() {
            check(command);
        }
    }
    let mut command = Cli::command();
    command.build();
    check(&mut command);
}

#[test]
fn every_command_with_arguments_shows_an_example() {
    fn check(command: &clap::Command) {
        for command in command.get_subcommands() {
            let plain = matches!(command.get_name(), "help" | "info" | "show" | "conn");
            assert!(
                plain || command.get_after_help().is_some(),
                "{}",
                command.get_name()
            );
            check(command);
        }
    }
    check(&Cli::command());
}

#[test]
fn the_schedulers_of_the_help_are_those_of_the_model() {
    for (name, meaning) in crate::model::SCHEDULERS {
        let line = format!("  {name:<7}{meaning}\n");
        assert!(help::SERVICE_ADD.contains(&line), "{line}");
    }
}

#[test]
fn every_option_of_a_scheduler_is_in_the_help_and_in_the_completions() {
    let mut script = Vec::new();
    clap_complete::generate(
        clap_complete::Shell::Bash,
        &mut Cli::command(),
        "rvsctl",
        &mut script,
    );
    let script = String::from_utf8(script).unwrap();
    for option in crate::model::OPTIONS {
        assert!(help::SERVICE_ADD.contains(option.name), "{}", option.name);
        assert!(script.contains(option.name), "{}", option.name);
    }
    for (scheduler, _) in crate::model::SCHEDULERS {
        let mut words = script.split(|c: char| !c.is_ascii_alphanumeric());
        assert!(words.any(|word| word == scheduler), "{scheduler}");
    }
}

#[test]
fn the_exit_statuses_of_the_help_are_those_of_the_program() {
    use crate::error::ExitStatus::{
        Conflict, Different, Exists, NoPermission, NotFound, NotLoaded, Refused, TimeOver, Usage,
    };

    for (status, meaning) in [
        (Refused, "the kernel refused"),
        (Usage, "the command line or a file is wrong"),
        (NotFound, "there is no such"),
        (Exists, "there is such"),
        (NoPermission, "no permission"),
        (NotLoaded, "the rvs module is not loaded"),
        (TimeOver, "the time given was over"),
        (Different, "`rvsctl diff` found a difference"),
        (
            Conflict,
            "somebody else changed the configuration meanwhile",
        ),
    ] {
        let line = format!("\n  {}  {meaning}", status as u8);
        assert!(help::GENERAL.contains(&line), "{line}");
    }
}
