//! Advertisements and announcements on a real wire: what one side sends, the other hears.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails by panicking")]

mod common;

use common::{Other, answer, in_namespace, index, ip, pair, settled, until};
use standfast_core::id::{Interface, Ticket};
use standfast_core::input::{Errno, Input, KernelNotice};
use standfast_io::host::Host;
use standfast_io::linux::LinuxHost;
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const LEFT4: &str = "192.0.2.11";
const RIGHT4: &str = "192.0.2.12";
const LEFT6: &str = "2001:db8::11";
const RIGHT6: &str = "2001:db8::12";

/// VRRPv2, VRID 51, priority 100, one address, no authentication.
const V2: [u8; 20] = [0x21, 51, 100, 1, 0, 1, 0xb8, 0x65, 192, 0, 2, 100, 0, 0, 0, 0, 0, 0, 0, 0];

/// VRRPv3 over IPv6 with its checksum left to the kernel.
fn v3() -> Vec<u8> {
    let mut bytes = vec![0x31, 51, 100, 1, 0, 100, 0, 0];
    bytes.extend("2001:db8::100".parse::<std::net::Ipv6Addr>().unwrap().octets());
    bytes
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Addresses both ends of a pair within one namespace; a bound device keeps the two ends apart.
async fn wire() -> (LinuxHost, Interface, Interface) {
    pair();
    for (end, four, six) in [("left", LEFT4, LEFT6), ("right", RIGHT4, RIGHT6)] {
        // The sender's address is local here too, which only these settings let in.
        ip(&format!("addr add {four}/24 dev {end}"));
        ip(&format!("addr add {six}/64 dev {end} nodad"));
        common::run(&format!("sysctl -qw net.ipv4.conf.{end}.accept_local=1"));
        common::run(&format!("sysctl -qw net.ipv4.conf.{end}.rp_filter=0"));
    }
    common::run("sysctl -qw net.ipv4.conf.all.rp_filter=0");
    (settled().await, index("left"), index("right"))
}

async fn packet(host: &mut LinuxHost) -> (Interface, IpAddr, IpAddr, u8, Vec<u8>) {
    until(host, "the packet", |input| match input {
        Input::Packet { on, from, to, hops, payload } => Some((*on, *from, *to, *hops, payload.to_vec())),
        _ => None,
    })
    .await
}

async fn listen(host: &mut LinuxHost, on: Interface, at: &str) {
    host.receive(Ticket(1), on, address(at), true);
    assert_eq!(answer(host, Ticket(1)).await, Ok(()), "{at}");
}

#[test]
fn a_multicast_advertisement_arrives_with_its_addresses_and_hops_and_not_at_its_sender() {
    in_namespace(|| async {
        let (mut host, left, right) = wire().await;
        for (group, from, payload) in [("224.0.0.18", LEFT4, V2.to_vec()), ("ff02::12", LEFT6, v3())] {
            listen(&mut host, left, group).await;
            listen(&mut host, right, group).await;
            for hops in [255, 7] {
                host.advertise(left, address(from), address(group), hops, payload.clone());
                let (on, source, to, heard, bytes) = packet(&mut host).await;
                assert_eq!((on, source, to, heard), (right, address(from), address(group), hops));
                assert_eq!(bytes[..6], payload[..6]);
                assert_eq!(bytes[8..], payload[8..]);
            }
        }
        let echo = timeout(Duration::from_millis(300), packet(&mut host)).await;
        assert!(echo.is_err(), "the sender heard itself: {echo:?}");
    });
}

#[test]
fn a_unicast_advertisement_reaches_the_other_namespace() {
    in_namespace(|| async {
        pair();
        let there = Other::with_right();
        ip(&format!("addr add {LEFT4}/24 dev left"));
        ip(&format!("addr add {LEFT6}/64 dev left nodad"));
        there.run(&format!("ip addr add {RIGHT4}/24 dev peer"));
        there.run(&format!("ip addr add {RIGHT6}/64 dev peer nodad"));
        let on = index("left");
        let mut host = settled().await;
        let mut capture = capture(&there, 2, "ip proto 112 or ip6 proto 112");
        let seen = dissected(&mut capture, || {
            host.advertise(on, address(LEFT4), address(RIGHT4), 64, V2.to_vec());
            host.advertise(on, address(LEFT6), address(RIGHT6), 64, v3());
        })
        .await;
        let parts =
            ["Version 2, Packet type 1", "Version 3, Packet type 1", "Time to Live: 64", "Hop Limit: 64"];
        for part in parts {
            assert_eq!(seen.matches(part).count(), 1, "{part}: {seen}");
        }
        assert_eq!(seen.matches("Class Selector 6").count(), 2, "{seen}");
    });
}

#[test]
fn a_unicast_receiver_hears_its_own_address_only_and_closing_it_ends_that() {
    in_namespace(|| async {
        let (mut host, left, right) = wire().await;
        listen(&mut host, right, "224.0.0.18").await;
        listen(&mut host, right, "192.0.2.99").await; // an address this host does not hold (yet)
        host.advertise(left, address(LEFT4), address("224.0.0.18"), 255, V2.to_vec());
        assert_eq!(packet(&mut host).await.2, address("224.0.0.18"));
        let twice = timeout(Duration::from_millis(200), packet(&mut host)).await;
        assert!(twice.is_err(), "one packet came twice: {twice:?}");

        // Two virtual routers share the receiver; it stays until both have closed it.
        listen(&mut host, right, "224.0.0.18").await;
        for (ticket, heard) in [(5, true), (6, false)] {
            host.receive(Ticket(ticket), right, address("224.0.0.18"), false);
            assert_eq!(answer(&mut host, Ticket(ticket)).await, Ok(()));
            sleep(Duration::from_millis(20)).await;
            host.advertise(left, address(LEFT4), address("224.0.0.18"), 255, V2.to_vec());
            let got = timeout(Duration::from_millis(200), packet(&mut host)).await;
            assert_eq!(got.is_ok(), heard);
        }
    });
}

#[test]
fn of_a_packet_larger_than_any_advertisement_the_beginning_arrives_and_the_next_packet_is_whole() {
    in_namespace(|| async {
        let (mut host, left, right) = wire().await;
        for end in ["left", "right"] {
            ip(&format!("link set {end} mtu 65500"));
        }
        listen(&mut host, right, "224.0.0.18").await;
        for (long, heard) in [(8172, 8172), (8173, 8172), (60_000, 8172), (20, 20)] {
            let mut payload = V2.to_vec();
            payload.resize(long, 0);
            host.advertise(left, address(LEFT4), address("224.0.0.18"), 255, payload);
            assert_eq!(packet(&mut host).await.4.len(), heard, "of {long} bytes");
        }
    });
}

#[test]
fn what_cannot_be_sent_is_told_once_until_something_succeeds() {
    in_namespace(|| async {
        let (mut host, left, _) = wire().await;
        ip("link set left down");
        until(&mut host, "the link down", |input| match input {
            Input::Kernel(KernelNotice::Link(link)) => (link.interface == left && !link.up).then_some(()),
            _ => None,
        })
        .await;
        for _ in 0..3 {
            host.advertise(left, address(LEFT4), address("224.0.0.18"), 255, V2.to_vec());
        }
        let mut told = 0;
        while let Ok(input) = timeout(Duration::from_millis(200), host.next()).await {
            told += u32::from(matches!(input, Input::Kernel(KernelNotice::Unsent { on, .. }) if on == left));
        }
        assert_eq!(told, 1);
        host.announce(Interface(4711), address(LEFT4));
        let unsent = Input::Kernel(KernelNotice::Unsent { on: Interface(4711), errno: Errno::ENODEV });
        assert_eq!(host.next().await, unsent);
    });
}

#[test]
fn announcements_change_what_the_neighbours_believe() {
    in_namespace(|| async {
        pair();
        let there = Other::with_right();
        ip(&format!("addr add {LEFT4}/24 dev left"));
        there.run(&format!("ip addr add {RIGHT4}/24 dev peer"));
        there.run(&format!("ip addr add {RIGHT6}/64 dev peer nodad"));
        let on = index("left");
        let mac = ip("-o link show dev left");
        let mac = mac.split("link/ether ").nth(1).unwrap()[..17].to_owned();
        let mut host = settled().await;
        for vip in ["192.0.2.100", "2001:db8::100"] {
            there.run(&format!("ip neigh replace {vip} lladdr 02:00:00:00:00:99 nud stale dev peer"));
            host.announce(on, address(vip));
            let mut believed = String::new();
            for _ in 0..100 {
                believed = there.run(&format!("ip neigh show {vip} dev peer"));
                if believed.contains(&mac) {
                    break;
                }
                sleep(Duration::from_millis(20)).await;
            }
            assert!(believed.contains(&mac), "{vip} is at {mac}, but the neighbour believes {believed}");
        }
        let mut capture = capture(&there, 2, "arp[14:4] == 0xc0000264 or ip6[40] == 136");
        let seen = dissected(&mut capture, || {
            host.announce(on, address("192.0.2.100"));
            host.announce(on, address("2001:db8::100"));
        })
        .await;
        assert!(seen.contains("request/gratuitous ARP"), "{seen}");
        assert!(seen.contains("Neighbor Advertisement"), "{seen}");
    });
}

/// tshark in the other namespace, listening for `count` packets.
fn capture(there: &Other, count: u32, filter: &str) -> tokio::process::Child {
    let mut command = tokio::process::Command::from(there.command("tshark"));
    command.args([
        "-l",
        "-n",
        "-i",
        "peer",
        "-c",
        &count.to_string(),
        "-a",
        "duration:20",
        "-f",
        filter,
        "-V",
    ]);
    command.args(["-o", "ip.check_checksum:TRUE", "-o", "vrrp.v3_checksum_as_in_v2:FALSE"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("needs tshark")
}

/// Everything tshark says of the packets it was asked to wait for, and nothing that it dislikes; `send` is repeated
/// until it has seen enough, since it takes its time to start.
async fn dissected(capture: &mut tokio::process::Child, mut send: impl FnMut()) -> String {
    use tokio::io::AsyncReadExt;
    let mut said = String::new();
    let mut out = capture.stdout.take().unwrap();
    let sending = async {
        loop {
            send();
            sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! { biased;
        read = out.read_to_string(&mut said) => drop(read.unwrap()),
        () = sending => {}
    }
    capture.wait().await.unwrap();
    for complaint in
        ["Malformed", "[Bad", "incorrect", "Bad checksum", "Expert Info (Error", "Expert Info (Warn"]
    {
        assert!(!said.contains(complaint), "{complaint}: {said}");
    }
    said
}

#[test]
fn a_process_without_privileges_is_told_which_capability_it_needs() {
    let tests = std::env::current_exe().unwrap();
    for (dropped, named) in [("cap_net_raw", "CAP_NET_RAW"), ("cap_net_admin", "CAP_NET_ADMIN")] {
        let output = Command::new("unshare")
            .args(["-n", "capsh", &format!("--drop={dropped}"), "--", "-c"])
            .arg(format!("LINUX_HOST_PROBE=1 exec {} probe --exact --nocapture", tests.display()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(named), "{dropped}: {said}{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Not a behaviour of its own: what the test above runs without capabilities.
#[test]
fn probe() {
    if std::env::var_os("LINUX_HOST_PROBE").is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    println!("{}", LinuxHost::new().expect_err("a capability is missing"));
}
