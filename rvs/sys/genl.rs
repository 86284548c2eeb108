// SPDX-License-Identifier: GPL-2.0-only

//! Generic netlink families that answer commands, and tell whoever listens.
//!
//! C header: `include/net/genetlink.h`

mod outlet;

pub use outlet::Outlet;

use super::{bindings, net::Net};
use core::{marker::PhantomData, mem::size_of, ptr, slice};
use kernel::{error::to_result, prelude::*, types::Opaque};

/// Who may use a family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Whoever has `CAP_NET_ADMIN` in the initial user namespace.
    InitialAdmin,
    /// Whoever has `CAP_NET_ADMIN` over the network namespace of the socket.
    NamespaceAdmin,
}

/// What a command answers with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// One answer, or just an acknowledgement.
    Do,
    /// A listing.
    Dump,
    /// Either, as the request says.
    Both,
}

/// A command of a family.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its number.
    pub number: u8,
    /// What it answers with.
    pub kind: Kind,
}

/// How far a listing got.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Position(pub [u64; 5]);

/// What answers the commands of a family.
pub trait Answers: 'static {
    /// The name that clients look the family up by; at most 15 bytes.
    const NAME: &'static CStr;
    /// Its version.
    const VERSION: u32;
    /// Who may use it.
    const PERMISSION: Permission;
    /// Its commands.
    const COMMANDS: &'static [Command];
    /// Its multicast groups, by names of at most 15 bytes. They are open to whoever has `CAP_NET_ADMIN`
    /// over the network namespace of the socket.
    const GROUPS: &'static [&'static CStr];

    /// Where messages to these groups go out, if it has any.
    fn outlet() -> Option<&'static Outlet>;

    /// Runs a command. Sleeps.
    fn run(request: &Request<'_>) -> Result;

    /// Writes the next part of a listing, as much as fits, and moves `position` on. A listing that
    /// wrote nothing is complete. Sleeps.
    fn list(request: &Request<'_>, position: &mut Position, listing: &mut Listing<'_>) -> Result;
}

/// A request that came in.
pub struct Request<'a> {
    /// The command's number.
    pub command: u8,
    /// The namespace of the socket.
    pub net: Net<'a>,
    /// The attributes, as they came.
    pub attributes: &'a [u8],
    extack: *mut bindings::netlink_ext_ack,
    info: *mut bindings::genl_info,
    family: *const bindings::genl_family,
}

impl Request<'_> {
    /// Explains an error to the sender, with a pointer to the attribute at fault if there is one.
    pub fn explain(&self, message: &'static CStr, attribute: Option<&[u8]>) {
        // SAFETY: the extended ack lives as long as the request, or is null.
        if let Some(extack) = unsafe { self.extack.as_mut() } {
            extack._msg = message.as_char_ptr().cast();
            if let Some(attribute) = attribute.filter(|a| self.holds(a)) {
                extack.bad_attr = attribute.as_ptr().cast();
            }
        }
    }

    /// Whether these bytes are part of the message: netlink computes an offset from them.
    fn holds(&self, bytes: &[u8]) -> bool {
        let all = self.attributes.as_ptr_range();
        let part = bytes.as_ptr_range();
        all.start <= part.start && part.end <= all.end
    }

    /// Sends one message, which `write` fills, to the sender of a [`Kind::Do`] request.
    pub fn reply(&self, command: u8, write: impl FnOnce(&mut Message<'_>) -> Result) -> Result {
        if self.info.is_null() {
            return Err(EOPNOTSUPP);
        }
        // SAFETY: an FFI call without preconditions.
        let skb = unsafe { bindings::rvs_genlmsg_new() };
        if skb.is_null() {
            return Err(ENOMEM);
        }
        // SAFETY: `info` is that of the running request, `skb` is ours and handed over at the end.
        unsafe {
            let (portid, seq) = ((*self.info).snd_portid, (*self.info).snd_seq);
            fill(skb, self.family, [portid, seq], command, write)?;
            to_result(bindings::rvs_genlmsg_reply(skb, self.info))
        }
    }
}

/// Writes a message into a new buffer, for a port and with the sequence number given. Frees the buffer
/// if that fails.
///
/// # Safety
///
/// `skb` comes from one of the `rvs_genlmsg_new…` and is the caller's alone; `family` is registered.
unsafe fn fill(
    skb: *mut bindings::sk_buff,
    family: *const bindings::genl_family,
    [portid, seq]: [u32; 2],
    command: u8,
    write: impl FnOnce(&mut Message<'_>) -> Result,
) -> Result {
    // SAFETY: by the safety requirement.
    unsafe {
        let header = bindings::genlmsg_put(skb, portid, seq, family, 0, command);
        let mut message = Message {
            skb,
            _skb: PhantomData,
        };
        let written = if header.is_null() {
            Err(EMSGSIZE)
        } else {
            write(&mut message)
        };
        match written {
            Ok(()) => bindings::rvs_genlmsg_end(skb, header),
            Err(_) => bindings::rvs_nlmsg_free(skb),
        }
        written
    }
}

/// A message that is being written.
pub struct Message<'a> {
    skb: *mut bindings::sk_buff,
    _skb: PhantomData<&'a mut bindings::sk_buff>,
}

/// Set in the type of an attribute that holds attributes.
const NLA_F_NESTED: u16 = 1 << 15;

impl Message<'_> {
    /// Appends an attribute; `EMSGSIZE` if it does not fit.
    pub fn put(&mut self, kind: u16, payload: &[u8]) -> Result {
        let len = i32::try_from(payload.len()).map_err(|_| EMSGSIZE)?;
        // SAFETY: the message is ours; the payload is readable for its length.
        to_result(unsafe {
            bindings::nla_put(self.skb, i32::from(kind), len, payload.as_ptr().cast())
        })
    }

    /// Appends an attribute that holds what `write` appends. If that fails, so does this, and the
    /// message is to be given up. `is_marked` says whether the type gets `NLA_F_NESTED`.
    pub fn nest(
        &mut self,
        kind: u16,
        is_marked: bool,
        write: impl FnOnce(&mut Self) -> Result,
    ) -> Result {
        let kind = if is_marked { kind | NLA_F_NESTED } else { kind };
        // SAFETY: the message is ours; `tail` is an offset from `head` on this architecture's
        // layout, as `skb_tail_pointer` has it.
        let start = unsafe { (*self.skb).tail };
        self.put(kind, &[])?;
        write(self)?;
        // SAFETY: as above; `start` is where the attribute's header was put, within the buffer, whose
        // `head` does not move while netlink messages are written.
        unsafe {
            let len = (*self.skb).tail.wrapping_sub(start);
            let attribute = (*self.skb)
                .head
                .add(start as usize)
                .cast::<bindings::nlattr>();
            (*attribute).nla_len = u16::try_from(len).map_err(|_| EMSGSIZE)?;
        }
        Ok(())
    }
}

/// A part of a listing that is being written.
pub struct Listing<'a> {
    skb: *mut bindings::sk_buff,
    portid: u32,
    seq: u32,
    flags: u32,
    family: *const bindings::genl_family,
    _skb: PhantomData<&'a mut bindings::sk_buff>,
}

impl Listing<'_> {
    /// Appends a message, which `write` fills. `false` if there is no room: then it is for the next
    /// part.
    pub fn push(&mut self, command: u8, write: impl FnOnce(&mut Message<'_>) -> Result) -> bool {
        // SAFETY: the buffer of the dump is ours while it is being filled; a message that does not
        // fit is taken out again.
        unsafe {
            let header = bindings::genlmsg_put(
                self.skb,
                self.portid,
                self.seq,
                self.family,
                self.flags as i32,
                command,
            );
            if header.is_null() {
                return false;
            }
            let mut message = Message {
                skb: self.skb,
                _skb: PhantomData,
            };
            if write(&mut message).is_err() {
                bindings::rvs_genlmsg_cancel(self.skb, header);
                return false;
            }
            bindings::rvs_genlmsg_end(self.skb, header);
        }
        true
    }
}

/// A family that answers while this exists.
///
/// # Invariants
///
/// `family` is registered; its operations live in `ops`, its groups in `groups`.
pub struct Family<A: Answers> {
    family: Pin<KBox<Opaque<bindings::genl_family>>>,
    _ops: KVec<bindings::genl_small_ops>,
    _groups: KVec<bindings::genl_multicast_group>,
    _answers: PhantomData<A>,
}

// SAFETY: the family is only touched by the kernel, under its own locks.
unsafe impl<A: Answers> Send for Family<A> {}
// SAFETY: as above.
unsafe impl<A: Answers> Sync for Family<A> {}

impl<A: Answers> Family<A> {
    /// Registers the family; `EEXIST` if another one has its name. Sleeps.
    pub fn register(module: &'static ThisModule) -> Result<Self> {
        let permission = match A::PERMISSION {
            Permission::InitialAdmin => bindings::GENL_ADMIN_PERM,
            Permission::NamespaceAdmin => bindings::GENL_UNS_ADMIN_PERM,
        };
        let mut ops = KVec::with_capacity(A::COMMANDS.len(), GFP_KERNEL)?;
        for command in A::COMMANDS {
            let mut op = bindings::genl_small_ops {
                cmd: command.number,
                flags: permission as u8,
                // Attributes are checked where they are used, as liberally as each family wants.
                validate: DONT_VALIDATE,
                ..Default::default()
            };
            if command.kind != Kind::Dump {
                op.doit = Some(doit::<A>);
            }
            if command.kind != Kind::Do {
                op.dumpit = Some(dumpit::<A>);
            }
            ops.push(op, GFP_KERNEL)?;
        }
        let mut groups = KVec::with_capacity(A::GROUPS.len(), GFP_KERNEL)?;
        for name in A::GROUPS {
            let mut group = bindings::genl_multicast_group {
                flags: bindings::RVS_MCAST_CAP_NET_ADMIN,
                ..Default::default()
            };
            for (to, from) in group.name.iter_mut().zip(name.to_bytes_with_nul()) {
                *to = *from;
            }
            groups.push(group, GFP_KERNEL)?;
        }
        let mut family = bindings::genl_family {
            version: A::VERSION,
            // All commands are of the old kind, whose attributes netlink leaves to us.
            resv_start_op: u8::MAX,
            n_small_ops: u8::try_from(ops.len()).map_err(|_| EINVAL)?,
            small_ops: ops.as_ptr(),
            n_mcgrps: u8::try_from(groups.len()).map_err(|_| EINVAL)?,
            mcgrps: groups.as_ptr(),
            module: module.as_ptr().cast(),
            ..Default::default()
        };
        family.set_netnsok(1);
        family.set_parallel_ops(1);
        for (to, from) in family.name.iter_mut().zip(A::NAME.to_bytes_with_nul()) {
            *to = *from;
        }
        let family = KBox::pin(Opaque::new(family), GFP_KERNEL)?;
        // SAFETY: a complete family that stays where it is until `drop` unregisters it.
        to_result(unsafe { bindings::genl_register_family(family.get()) })?;
        if let Some(outlet) = A::outlet() {
            outlet.open(family.get());
        }
        // INVARIANT: registered just now.
        Ok(Self {
            family,
            _ops: ops,
            _groups: groups,
            _answers: PhantomData,
        })
    }
}

impl<A: Answers> Drop for Family<A> {
    fn drop(&mut self) {
        if let Some(outlet) = A::outlet() {
            outlet.close();
        }
        // SAFETY: registered by the type invariants. It waits for commands that run.
        unsafe { bindings::genl_unregister_family(self.family.get()) };
    }
}

/// `GENL_DONT_VALIDATE_STRICT | _DUMP | _DUMP_STRICT`.
const DONT_VALIDATE: u8 = 7;

/// The attributes of a generic netlink message.
///
/// # Safety
///
/// `nlh` is a message that netlink checked, and lives for `'a`.
unsafe fn attributes<'a>(nlh: *const bindings::nlmsghdr) -> (u8, &'a [u8]) {
    let headers = size_of::<bindings::nlmsghdr>() + size_of::<bindings::genlmsghdr>();
    // SAFETY: generic netlink refuses messages without its header, and netlink those whose length
    // exceeds what came.
    unsafe {
        let len = ((*nlh).nlmsg_len as usize).saturating_sub(headers);
        let genl = nlh.add(1).cast::<bindings::genlmsghdr>();
        ((*genl).cmd, slice::from_raw_parts(genl.add(1).cast(), len))
    }
}

/// Answers a request of its kind `do`.
///
/// # Safety
///
/// Generic netlink calls it for a command of the family of `A`, with that request's information.
unsafe extern "C" fn doit<A: Answers>(
    _skb: *mut bindings::sk_buff,
    info: *mut bindings::genl_info,
) -> i32 {
    // SAFETY: generic netlink passes the request's information, valid for the call.
    let request = unsafe {
        let (command, attributes) = attributes((*info).nlhdr);
        Request {
            command,
            net: Net::from_ptr(bindings::rvs_genl_info_net(info)),
            attributes,
            extack: (*info).extack,
            info,
            family: (*info).family,
        }
    };
    match A::run(&request) {
        Ok(()) => 0,
        Err(error) => error.to_errno(),
    }
}

/// Writes the next part of a listing.
///
/// # Safety
///
/// Netlink calls it for a dump of the family of `A`, with the buffer to fill and the dump's state.
unsafe extern "C" fn dumpit<A: Answers>(
    skb: *mut bindings::sk_buff,
    cb: *mut bindings::netlink_callback,
) -> i32 {
    // SAFETY: netlink passes the dump's state, valid for the call; `skb` is the buffer to fill.
    // Generic netlink keeps the request's information with the dump.
    let result = unsafe {
        let info = bindings::rvs_genl_info_dump(cb);
        let (command, attributes) = attributes((*cb).nlh);
        let request = Request {
            command,
            net: Net::from_ptr(bindings::rvs_genl_info_net(info)),
            attributes,
            extack: (*cb).extack,
            info: ptr::null_mut(),
            family: (*info).family,
        };
        let mut listing = Listing {
            skb,
            portid: (*info).snd_portid,
            seq: (*info).snd_seq,
            flags: bindings::NLM_F_MULTI,
            family: (*info).family,
            _skb: PhantomData,
        };
        let position = &mut *(&raw mut (*cb).__bindgen_anon_1).cast::<Position>();
        A::list(&request, position, &mut listing)
    };
    match result {
        // SAFETY: as above.
        Ok(()) => unsafe { (*skb).len as i32 },
        Err(error) => error.to_errno(),
    }
}
