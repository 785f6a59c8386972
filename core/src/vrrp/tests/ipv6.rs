//! VRRP version 3 over IPv6 (RFC 9568): election, sources, announcements.

use super::super::*;
use super::bench::*;
use crate::action::Action;
use crate::config::model::{Config, Destination, Family, InstanceConfig, Peer};
use core::net::IpAddr;

const LOCAL: &str = "fe80::10";
const RIVAL: &str = "fe80::20";

fn six(priority: u8) -> InstanceConfig {
    let mut config = v3(instance(1, priority));
    config.router.family = Family::V6;
    config.transport.to = Destination::Multicast(ip("ff02::12"));
    // The first advertised address is link-local, as keepalived and the RFC want it.
    let mut addresses = config.addresses.clone();
    addresses[0].address = "fe80::100/64".parse().unwrap();
    addresses.push(addresses[0].clone());
    addresses[1].address = "2001:db8::100/64".parse().unwrap();
    config.addresses = addresses;
    config
}

fn bench(config: &Config) -> Bench {
    let mut bench = Bench::cold(config);
    bench.boot(&[("2001:db8::10", 64), (LOCAL, 64)], &[]);
    bench
}

fn alone(instance: InstanceConfig) -> Bench {
    bench(&config(alloc::vec![instance]))
}

fn sources(bench: &Bench) -> Vec<(IpAddr, IpAddr, u8)> {
    let source = |(_, action): &(Time, Action)| match action {
        Action::Advertise { from, to, hops, .. } => Some((*from, *to, *hops)),
        _ => None,
    };
    bench.seen.iter().filter_map(source).collect()
}

#[test]
fn a_backup_alone_takes_over_and_speaks_to_the_group_from_its_link_local_address() {
    let mut bench = alone(six(200));
    bench.run(ms(3218));
    assert_eq!(bench.role(ID), Role::Backup);
    bench.run(ms(2)); // 3 x 1 s + 56/256 s
    assert_eq!(bench.role(ID), Role::Master);
    assert_eq!(sources(&bench), [(ip(LOCAL), ip("ff02::12"), 255)]);
}

#[test]
fn every_address_is_announced_as_often_as_told() {
    let mut bench = alone(six(255));
    let announced = |bench: &Bench, address: &str| {
        let is = |a: &Action| matches!(a, Action::Announce { address: of, .. } if *of == ip(address));
        bench.seen.iter().filter(|(_, a)| is(a)).count()
    };
    for address in ["fe80::100", "2001:db8::100"] {
        assert_eq!(announced(&bench, address), 5);
    }
    bench.run(ms(5000));
    assert_eq!(announced(&bench, "2001:db8::100"), 10);
}

#[test]
fn the_better_priority_wins_and_of_equal_ones_the_greater_address() {
    for (from, priority, role) in [
        (RIVAL, 201, Role::Backup),
        (RIVAL, 200, Role::Backup),
        ("fe80::5", 200, Role::Master),
        (RIVAL, 199, Role::Master),
    ] {
        let mut bench = alone(six(200));
        bench.run(ms(4000));
        bench.hear(from, priority);
        assert_eq!(bench.role(ID), role, "{from} {priority}");
    }
}

#[test]
fn a_hop_limit_other_than_255_is_rejected() {
    let mut bench = alone(six(100));
    let payload = advert_of(&bench.first.clone(), RIVAL, 200, ms(1000));
    bench.raw(RIVAL, 254, &payload);
    assert_eq!(bench.status(ID).counters.advert_rcvd, 0);
    bench.raw(RIVAL, 255, &payload);
    assert_eq!(bench.status(ID).counters.advert_rcvd, 1);
}

#[test]
fn a_virtual_or_tentative_address_is_no_source() {
    let mut bench = Bench::cold(&config(alloc::vec![six(200)]));
    bench.boot(&[("2001:db8::10", 64)], &[("fe80::100", 64)]);
    assert_eq!(bench.status(ID).faults, ["no source address on eth0"]);
    let local = |tentative| KernelNotice::Address {
        on: ETH0,
        address: "fe80::10/64".parse().unwrap(),
        marked: false,
        tentative,
    };
    bench.kernel(&local(true));
    assert_eq!(bench.role(ID), Role::Fault);
    bench.kernel(&local(false));
    assert_eq!(bench.role(ID), Role::Backup);
    bench.run(ms(4000));
    assert_eq!(sources(&bench)[0].0, ip(LOCAL));
}

#[test]
fn peers_with_global_addresses_are_spoken_to_from_a_global_one() {
    for (peer, source) in [("2001:db8::20", "2001:db8::10"), (RIVAL, LOCAL)] {
        let mut config = six(255);
        let peer = Peer { address: ip(peer), min_ttl: 0, max_ttl: 255 };
        config.transport.to = Destination::Unicast(alloc::vec![peer]);
        config.transport.hops = 255;
        let bench = alone(config);
        assert_eq!(sources(&bench), [(ip(source), peer.address, 255)]);
    }
}

#[test]
fn the_gap_for_neighbour_advertisements_is_its_own() {
    let mut config = config(alloc::vec![six(255)]);
    config.node.links.gap.arp = ms(400);
    config.node.links.gap.na = ms(50);
    let mut bench = bench(&config);
    let start = bench.now;
    bench.run(ms(4000));
    let last =
        bench.seen.iter().filter(|(_, a)| matches!(a, Action::Announce { .. })).map(|(at, _)| *at).max();
    assert_eq!(last.map(|at| at.since(start)), Some(ms(450)), "ten of them, 50 ms apart");
}
