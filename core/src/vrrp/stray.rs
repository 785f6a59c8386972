//! Packets that no virtual router is for: a VRID that is none of ours on that interface, or too short to have one.
//!
//! Counted by name always; told once per sender, and only where the operator wants it (`log_unknown_vrids`), since a
//! second cluster on the same network is nothing wrong.

use super::receive::{Complaint, Complaints, Packet, concerns};
use super::{Routers, status};
use crate::event::{Event, PacketError};
use crate::outbox::Context;
use crate::wire::vrrp;
use alloc::collections::BTreeMap;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// What was counted and told.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Strays {
    told: Complaints,
    counts: BTreeMap<String, u64>,
}

impl Routers {
    /// Nobody takes it: not meant for us, or meant for a virtual router that takes no part now.
    pub(super) fn on_stray(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>) {
        let known = self.instances.values().any(|instance| {
            concerns(&instance.config, packet) && self.world.interface(&instance.config) == Some(packet.on)
        });
        if known {
            return;
        }
        let error = vrrp::vrid(packet.payload).map_or(PacketError::Length, |_| PacketError::UnknownVrid);
        status::count(&mut self.strays.counts, error);
        if self.world.node.log_unknown_vrids
            && self.strays.told.is_new(packet.from, Complaint::Rejected(error))
        {
            cx.out.tell(Event::Rejected { instance: None, name: "".into(), from: packet.from, error });
        }
    }

    /// Packets that no virtual router was for, by [`PacketError::as_str`].
    pub(crate) fn strays(&self) -> BTreeMap<String, u64> {
        self.strays.counts.clone()
    }
}
