// SPDX-License-Identifier: GPL-2.0-only

//! Bypass: the packet goes where it was going, past the virtual service that
//! has nobody to serve it.

use super::{admit, release, Path};
use crate::{
    director::Balanced,
    packet::Header,
    stats::drops::Reason,
    sys::{
        netfilter::Context,
        route::{Purpose, Route},
        skb::Skb,
    },
};

/// Makes a packet ready to leave for its own destination, whose route nobody keeps.
pub(super) fn rewrite<A: Balanced>(
    skb: &mut Skb<'_>,
    header: &Header<A>,
    path: Path<'_, A>,
    context: Context<'_>,
) -> Result<(), Reason> {
    let route = Route::lookup(context.net, header.dst.ip(), Purpose::ToDestination)
        .map_err(|_| Reason::Unreachable)?;
    if route.is_local() {
        return Err(Reason::NotLocal);
    }
    admit(skb, header, || route.mtu(), context)?;
    release(skb, path, context);
    skb.hand_route(route);
    Ok(())
}
