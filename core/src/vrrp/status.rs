//! How a virtual router stands, for operators, exporters and invariants.

use crate::event::{PacketError, Role};
use crate::id::InstanceId;
use crate::input::Link;
use crate::time::Time;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// How one virtual router stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterStatus {
    /// Which.
    pub id: InstanceId,
    /// Its name.
    pub name: Arc<str>,
    /// The interface it advertises on.
    pub interface: Arc<str>,
    /// `virtual_router_id`.
    pub vrid: u8,
    /// Its role.
    pub role: Role,
    /// Since when.
    pub since: Time,
    /// Effective and configured priority.
    pub priority: PriorityStatus,
    /// The router heard last, when it is not us.
    pub master: Option<MasterStatus>,
    /// Why it is in FAULT, or away by order.
    pub faults: Vec<String>,
    /// Its addresses.
    pub addresses: Vec<AddressStatus>,
    /// What it has counted.
    pub counters: Counters,
    /// How it speaks and waits.
    pub pace: PaceStatus,
}

/// How a virtual router speaks and waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaceStatus {
    /// The source of its advertisements, when there is one.
    pub source: Option<IpAddr>,
    /// The active router's advertisement interval: learnt in version 3, else its own.
    pub interval: Duration,
    /// `Master_Down_Interval`.
    pub master_down: Duration,
    /// When its next advertisement is due, or its wait for the active router ends; neither in FAULT.
    pub next: Option<Time>,
}

/// A link of the host with its addresses, as the kernel reported them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// The link.
    pub link: Link,
    /// Its addresses in the kernel's order, virtual ones included.
    pub addresses: Vec<IpNet>,
}

/// Effective and configured priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityStatus {
    /// As advertised: 1..=254, or 255 for an owner.
    pub effective: u8,
    /// As configured.
    pub base: u8,
}

/// The router heard last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterStatus {
    /// Its address.
    pub address: IpAddr,
    /// Its priority.
    pub priority: u8,
    /// When it was heard.
    pub heard: Time,
}

/// One address of a virtual router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressStatus {
    /// Address and prefix length.
    pub address: IpNet,
    /// Where.
    pub interface: Arc<str>,
    /// It should be there.
    pub wanted: bool,
    /// The kernel has it from us.
    pub held: bool,
}

/// What a virtual router has counted since it was configured; names as keepalived's statistics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Valid advertisements received.
    pub advert_rcvd: u64,
    /// Advertisements sent, farewells included; one per turn, however many peers it went to.
    pub advert_sent: u64,
    /// Times it became master.
    pub become_master: u64,
    /// Times it stopped being master.
    pub release_master: u64,
    /// Farewells received.
    pub pri_zero_rcvd: u64,
    /// Farewells sent.
    pub pri_zero_sent: u64,
    /// Accepted advertisements with another address list.
    pub addr_list_differs: u64,
    /// Accepted version 3 advertisements with another interval.
    pub interval_differs: u64,
    /// Accepted advertisements by unicast from somebody who is no configured peer.
    pub not_listed: u64,
    /// Dropped packets, by [`PacketError::as_str`].
    pub rejected: BTreeMap<String, u64>,
}

impl Counters {
    /// Dropped packets of one kind.
    #[must_use]
    pub fn rejected(&self, error: PacketError) -> u64 {
        self.rejected.get(error.as_str()).copied().unwrap_or(0)
    }

    pub(super) fn reject(&mut self, error: PacketError) {
        count(&mut self.rejected, error);
    }
}

/// Counts a dropped packet by its name.
pub(super) fn count(rejected: &mut BTreeMap<String, u64>, error: PacketError) {
    if let Some(count) = rejected.get_mut(error.as_str()) {
        *count = count.saturating_add(1);
    } else {
        rejected.insert(String::from(error.as_str()), 1);
    }
}
