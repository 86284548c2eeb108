// SPDX-License-Identifier: GPL-2.0-only
//! Combinations that make no sense, refused before the kernel sees them: most of them it would take,
//! and balance nothing.

use crate::error::{ExitStatus, Failure};
use crate::model::{
    Endpoint, Family, ForwardingMethod, Misfit, SchedulerOption, ServiceKey, SCHEDULERS,
};
use crate::netlink::ServerSettings;

fn refusal(message: String, tip: impl Into<String>) -> Failure {
    Failure::new(ExitStatus::Usage, message).tip(tip)
}

/// Refuses an option that the scheduler does not have.
pub fn check_option(
    argument: &str,
    option: &SchedulerOption,
    scheduler: &str,
) -> Result<(), Failure> {
    if option.scheduler == scheduler {
        return Ok(());
    }
    let message = format!(
        "invalid value '{}' for '{argument} <NAME>': it is an option of the scheduler {}, not of \
         {scheduler}",
        option.name, option.scheduler
    );
    let all: Vec<_> = SCHEDULERS
        .iter()
        .filter_map(|(name, _)| options_of(name))
        .collect();
    let own = options_of(scheduler).unwrap_or_else(|| {
        let all = all.join("; ");
        format!("{scheduler} has no options; {all}")
    });
    Err(refusal(message, own))
}

/// `sh has sh-fallback, sh-port`, for schedulers that have options.
fn options_of(scheduler: &str) -> Option<String> {
    let names: Vec<_> = SchedulerOption::of(scheduler)
        .map(|option| option.name)
        .collect();
    (!names.is_empty()).then(|| format!("{scheduler} has {}", names.join(", ")))
}

/// Refuses a service for all ports that is not persistent.
pub fn check_all_ports(key: &ServiceKey, persistent: bool) -> Result<(), Failure> {
    if persistent || !key.is_for_all_ports() {
        return Ok(());
    }
    Err(refusal(
        format!("{key} is for all ports: without persistence it would balance nothing"),
        "a service for all ports takes `--persistent`; any other names its port",
    ))
}

/// Refuses to schedule single packets of connections.
pub fn check_one_packet(key: &ServiceKey) -> Result<(), Failure> {
    if key.can_be_one_packet() {
        return Ok(());
    }
    let message = format!(
        "the argument '--one-packet' cannot be used with {key}: its connections have to stay at their \
         servers"
    );
    let tip = "services of udp and of firewall marks take it";
    Err(refusal(message, tip))
}

/// Refuses a mask where nothing goes by it.
pub fn check_mask(key: &ServiceKey, persistent: bool) -> Result<(), Failure> {
    if persistent {
        return Ok(());
    }
    Err(refusal(
        format!("the argument '--persistence-mask' means nothing: {key} is not persistent"),
        "add `--persistent`, or `--persistent=SECONDS`",
    ))
}

/// Refuses the methods that nobody has to choose.
pub fn check_choice(method: ForwardingMethod) -> Result<(), Failure> {
    let tip = match method {
        ForwardingMethod::LocalNode => {
            "a server on this machine needs no method of its own: take masquerading (any port) or \
             direct-routing, and its packets are delivered here"
        }
        ForwardingMethod::Bypass => {
            "the kernel chooses it for clients of a mark that has no server left, if the sysctl \
             net.ipv4.vs.cache_bypass is 1"
        }
        _ => return Ok(()),
    };
    let message =
        format!("invalid value '{method}' for '--method <METHOD>': it is not to be chosen");
    Err(refusal(message, tip))
}

/// Refuses a server that would not get the packets that it expects.
pub fn check_server(
    service: &ServiceKey,
    server: Endpoint,
    method: ForwardingMethod,
) -> Result<(), Failure> {
    let Some(misfit) = service.misfit(server, method) else {
        return Ok(());
    };
    let (message, tip) = match misfit {
        Misfit::Family => (
            format!(
                "{method} cannot change the family: {server} is {}, and {service} is {}",
                name_of(Family::of(server.address)),
                name_of(service.family())
            ),
            "only `--method tunneling` reaches servers of another family",
        ),
        Misfit::AllPorts => (
            format!(
                "invalid value '{server}' for '<SERVER[:PORT]>': packets for {service} keep their port"
            ),
            "leave the port out",
        ),
        Misfit::Port => {
            let ports = match service.port() {
                0 => "the ports".to_string(),
                port => format!("port {port}"),
            };
            let message = format!(
                "{method} cannot change the port: {server} would get packets for {ports} of {service}"
            );
            (message, "leave the port out, or take `--method masquerading`")
        }
    };
    Err(refusal(message, tip))
}

fn name_of(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}

/// Refuses a lower threshold above the upper one.
pub fn check_thresholds(settings: &ServerSettings) -> Result<(), Failure> {
    let (upper, lower) = (settings.upper_threshold, settings.lower_threshold);
    if lower <= upper {
        return Ok(());
    }
    if upper == 0 {
        return Err(refusal(
            format!("the lower threshold ({lower}) means nothing without an upper one"),
            "give `--upper-threshold` too, or `--lower-threshold 0`",
        ));
    }
    Err(refusal(
        format!("the lower threshold ({lower}) would be above the upper one ({upper})"),
        format!(
            "`--lower-threshold` takes 0 to {upper}; 0 stands for three quarters of the upper one"
        ),
    ))
}
