//! Addresses with and without a lease, and what other people do to them.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails by panicking")]

mod common;

use common::{WAIT, answer, in_namespace, index, ip, pair, settled, until};
use ipnet::IpNet;
use standfast_core::action::AddressOptions;
use standfast_core::id::{Interface, Ticket};
use standfast_core::input::{Errno, Input, KernelNotice};
use standfast_io::host::{AddressRequest, Host};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const VIPS: [&str; 2] = ["192.0.2.100/24", "2001:db8::100/128"];

fn request(ticket: u64, on: Interface, address: &str, own: bool, lease: Option<u64>) -> AddressRequest {
    AddressRequest {
        ticket: Ticket(ticket),
        on,
        address: address.parse().unwrap(),
        own,
        lease: lease.map(Duration::from_secs),
        how: Arc::new(AddressOptions::default()),
    }
}

#[test]
fn an_address_goes_with_its_lease_and_stays_while_it_is_renewed() {
    in_namespace(|| async {
        pair();
        for vip in VIPS {
            let on = index("left");
            let net: IpNet = vip.parse().unwrap();
            let mut host = settled().await;
            for ticket in 0..5 {
                host.address(request(ticket, on, vip, true, Some(1)));
                assert_eq!(answer(&mut host, Ticket(ticket)).await, Ok(()), "{vip}");
                sleep(Duration::from_millis(500)).await;
                assert!(ip("-o addr show dev left").contains(vip), "{vip} was lost while renewed");
            }
            let renewed = Instant::now();
            host.address(request(9, on, vip, true, Some(1)));
            until(&mut host, "the end of the lease", |input| match input {
                Input::Kernel(KernelNotice::AddressGone { on: place, address }) => {
                    (*place == on && *address == net).then_some(())
                }
                _ => None,
            })
            .await;
            let lasted = renewed.elapsed();
            assert!(lasted >= Duration::from_millis(400), "{vip} went after {lasted:?}");
            assert!(lasted < Duration::from_millis(2100), "{vip} went after {lasted:?}");
            assert!(!ip("-o addr show dev left").contains(vip));
        }
    });
}

#[test]
fn our_addresses_are_marked_and_not_tentative_and_other_people_s_deletions_are_told() {
    in_namespace(|| async {
        pair();
        let on = index("left");
        let mut host = settled().await;
        for vip in VIPS {
            let net: IpNet = vip.parse().unwrap();
            host.address(request(1, on, vip, true, None));
            // Answer and notice come from two sockets, so in either order.
            let (mut answered, mut seen) = (false, None);
            until(&mut host, "answer and notice", |input| {
                match input {
                    Input::Done { result, .. } => answered = result.is_ok(),
                    Input::Kernel(KernelNotice::Address { address, marked, tentative, .. })
                        if *address == net =>
                    {
                        seen = Some((*marked, *tentative));
                    }
                    _ => {}
                }
                (answered && seen.is_some()).then_some(())
            })
            .await;
            assert_eq!(seen, Some((true, false)), "{vip}");
            ip(&format!("addr del {vip} dev left"));
            until(&mut host, "the deletion", |input| match input {
                Input::Kernel(KernelNotice::AddressGone { address, .. }) => (*address == net).then_some(()),
                _ => None,
            })
            .await;
        }
    });
}

#[test]
fn asking_for_what_is_so_already_succeeds_and_a_missing_link_is_named() {
    in_namespace(|| async {
        pair();
        let on = index("left");
        let mut host = settled().await;
        for vip in VIPS {
            for (ticket, own) in [(1, true), (2, true), (3, false), (4, false)] {
                host.address(request(ticket, on, vip, own, None));
                assert_eq!(answer(&mut host, Ticket(ticket)).await, Ok(()), "{vip}, request {ticket}");
            }
        }
        host.address(request(5, Interface(4711), VIPS[0], true, None));
        assert_eq!(answer(&mut host, Ticket(5)).await, Err(Errno::ENODEV));
    });
}

#[test]
fn label_broadcast_scope_and_deprecation_reach_the_kernel() {
    in_namespace(|| async {
        pair();
        let on = index("left");
        let mut host = settled().await;
        let mut options = AddressOptions {
            label: Some("left:vip".into()),
            broadcast: Some("192.0.2.255".parse().unwrap()),
            deprecated: true,
            ..AddressOptions::default()
        };
        options.scope.0 = 253;
        let how = Arc::new(options);
        host.address(AddressRequest { how: how.clone(), ..request(1, on, VIPS[0], true, None) });
        assert_eq!(answer(&mut host, Ticket(1)).await, Ok(()));
        let shown = ip("-o -4 addr show dev left");
        for part in ["brd 192.0.2.255", "scope link", "left:vip", "deprecated"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        host.address(AddressRequest { how, ..request(2, on, VIPS[1], true, None) });
        assert_eq!(answer(&mut host, Ticket(2)).await, Ok(()));
        assert!(ip("-o -6 addr show dev left").contains("deprecated"));
    });
}

#[test]
fn a_host_starts_with_a_whole_dump_and_tells_of_a_link_that_goes_and_comes_back() {
    in_namespace(|| async {
        pair();
        ip("addr add 192.0.2.7/24 dev left");
        let mut host = standfast_io::linux::LinuxHost::new().unwrap();
        let first = tokio::time::timeout(WAIT, host.next()).await.unwrap();
        assert_eq!(first, Input::Kernel(KernelNotice::ResyncBegin));
        let (mut left, mut address) = (None, false);
        until(&mut host, "the end of the dump", |input| {
            if let Input::Kernel(KernelNotice::Link(link)) = input
                && &*link.name == "left"
            {
                left = Some(link.clone());
            }
            if let Input::Kernel(KernelNotice::Address { address: net, .. }) = input {
                address |= *net == "192.0.2.7/24".parse().unwrap();
            }
            matches!(input, Input::Kernel(KernelNotice::ResyncEnd)).then_some(())
        })
        .await;
        let left = left.expect("the dump names the link");
        assert!(left.up && left.running && left.multicast && !left.no_arp && left.mac.is_some() && address);

        ip("link set right down");
        until(&mut host, "the loss of the carrier", |input| match input {
            Input::Kernel(KernelNotice::Link(link)) => (&*link.name == "left" && !link.running).then_some(()),
            _ => None,
        })
        .await;
        let old = left.interface;
        ip("link del left");
        until(&mut host, "the deletion", |input| {
            (*input == Input::Kernel(KernelNotice::LinkGone(old))).then_some(())
        })
        .await;
        host.receive(Ticket(1), old, "224.0.0.18".parse().unwrap(), true);
        assert_eq!(answer(&mut host, Ticket(1)).await, Err(Errno::ENODEV));
        pair();
        let new = until(&mut host, "the new link", |input| match input {
            Input::Kernel(KernelNotice::Link(link)) if &*link.name == "left" => Some(link.interface),
            _ => None,
        })
        .await;
        assert_ne!(new, old);
        host.receive(Ticket(2), new, "224.0.0.18".parse().unwrap(), true);
        assert_eq!(answer(&mut host, Ticket(2)).await, Ok(()));
    });
}

#[test]
fn lost_notices_are_made_good_by_a_second_dump() {
    const MANY: usize = 6000;
    in_namespace(|| async {
        pair();
        let mut host = settled().await;
        let batch = std::env::temp_dir().join(format!("standfast-batch-{}", std::process::id()));
        let nets = (0..MANY).map(|n| format!("198.51.{}.{}/32", 100 + n / 250, n % 250 + 1));
        let lines: String = nets.map(|net| format!("addr add {net} dev left\n")).collect();
        std::fs::write(&batch, lines).unwrap();
        // This thread also runs the watcher, so everything happens behind its back.
        ip(&format!("-batch {}", batch.display()));
        std::fs::remove_file(&batch).unwrap();
        let (mut dumps, mut named) = (0, std::collections::BTreeSet::new());
        until(&mut host, "the end of the second dump", |input| {
            match input {
                Input::Kernel(KernelNotice::ResyncBegin) => {
                    dumps += 1;
                    named.clear();
                }
                Input::Kernel(KernelNotice::Address { address, .. }) => {
                    named.insert(*address);
                }
                _ => {}
            }
            matches!(input, Input::Kernel(KernelNotice::ResyncEnd)).then_some(())
        })
        .await;
        assert!(dumps >= 1, "no notice was lost: the test must be made harder");
        let ours: IpNet = "198.51.0.0/16".parse().unwrap();
        assert_eq!(named.iter().filter(|net| ours.contains(*net)).count(), MANY);
    });
}
