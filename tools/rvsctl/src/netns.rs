// SPDX-License-Identifier: GPL-2.0-only
//! Entering the network namespace that a command is about.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::thread::{move_into_link_name_space, LinkNameSpaceType};

use crate::error::{ExitStatus, Failure};

/// Where `ip netns` keeps its named namespaces.
const NAMED: &str = "/run/netns";

/// The file of a namespace: a path if `name` has a slash, else the one `ip netns` gave that name.
fn file_of(name: &str) -> PathBuf {
    if name.contains('/') {
        PathBuf::from(name)
    } else {
        Path::new(NAMED).join(name)
    }
}

/// Moves the calling thread into a network namespace. Sockets opened from now on belong to it.
pub fn enter(name: &str) -> Result<(), Failure> {
    let path = file_of(name);
    let file = std::fs::File::open(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::new(
            ExitStatus::NotFound,
            format!(
                "there is no network namespace '{name}': {} is missing",
                path.display()
            ),
        )
        .tip("`ip netns list` shows those that have names"),
        ErrorKind::PermissionDenied => no_permission(name),
        _ => Failure::new(
            ExitStatus::Refused,
            format!(
                "cannot open the network namespace {}: {error}",
                path.display()
            ),
        ),
    })?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).map_err(|errno| {
        match errno {
            Errno::PERM => no_permission(name),
            Errno::INVAL => Failure::new(
                ExitStatus::Usage,
                format!("{} is not a network namespace", path.display()),
            ),
            _ => Failure::new(
                ExitStatus::Refused,
                format!("cannot enter the network namespace '{name}': {errno}"),
            ),
        }
    })
}

fn no_permission(name: &str) -> Failure {
    Failure::new(
        ExitStatus::NoPermission,
        format!("no permission to enter the network namespace '{name}': that takes CAP_SYS_ADMIN"),
    )
    .tip("run it as root, for example with sudo")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_where_ip_netns_keeps_it_and_a_path_is_taken_as_it_is() {
        assert_eq!(file_of("blue"), Path::new("/run/netns/blue"));
        assert_eq!(file_of("/proc/1/ns/net"), Path::new("/proc/1/ns/net"));
    }

    #[test]
    fn a_namespace_that_does_not_exist_is_not_found_and_named() {
        let failure = enter("no-such-namespace").unwrap_err();
        assert_eq!(failure.status, ExitStatus::NotFound);
        assert!(failure.message.contains("'no-such-namespace'"), "{failure}");
    }

    #[test]
    fn a_file_that_is_no_namespace_is_refused() {
        let failure = enter("/dev/null").unwrap_err();
        assert!(
            matches!(failure.status, ExitStatus::Usage | ExitStatus::NoPermission),
            "{failure}"
        );
    }
}
