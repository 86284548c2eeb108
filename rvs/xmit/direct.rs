// SPDX-License-Identifier: GPL-2.0-only

//! Direct routing: the packet goes to the real server's link-layer address
//! as it is, but for the time to live.

use super::{admit, prepare, Path};
use crate::{
    director::Balanced,
    packet::Header,
    stats::drops::Reason,
    sys::{netfilter::Context, route::Route, skb::Skb},
};

/// Makes a packet ready to leave on the route to the real server.
#[inline]
pub(super) fn rewrite<A: Balanced>(
    skb: &mut Skb<'_>,
    header: &Header<A>,
    path: Path<'_, A>,
    route: &Route,
    context: Context<'_>,
) -> Result<(), Reason> {
    admit(skb, header, || route.mtu(), context)?;
    prepare(skb, path, route, context);
    Ok(())
}
