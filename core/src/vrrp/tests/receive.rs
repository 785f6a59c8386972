use super::*;
use crate::config::model::Peer;
use crate::vrrp::tests::bench::{ETH0, OURS, PEER, advert_of, instance, ip, ms, v3};
use crate::wire::vrrp::{Advertisement, ChecksumForm};

fn judge(config: &InstanceConfig, hops: u8, payload: &[u8]) -> Judged {
    check(config, &Packet { on: ETH0, from: ip(PEER), to: ip("224.0.0.18"), hops, payload })
}

fn good(config: &InstanceConfig) -> alloc::vec::Vec<u8> {
    advert_of(config, PEER, 120, config.election.interval)
}

/// Puts the checksum right again after a change.
fn resum(bytes: &mut [u8]) {
    bytes[6] = 0;
    bytes[7] = 0;
    let sum = crate::wire::checksum::Sum::default().bytes(bytes).finish().to_be_bytes();
    bytes[6] = sum[0];
    bytes[7] = sum[1];
}

#[test]
fn each_check_has_its_own_name_and_the_first_failure_decides() {
    let config = instance(1, 100);
    assert!(matches!(judge(&config, 255, &good(&config)), Judged::Valid(_)));
    let change = |at: usize, to: u8| {
        let mut bytes = good(&config);
        bytes[at] = to;
        resum(&mut bytes);
        bytes
    };
    let rows = [
        (255, good(&config)[..19].to_vec(), PacketError::Length),
        (254, good(&config)[..19].to_vec(), PacketError::Length),
        (254, change(0, 0x31), PacketError::Ttl),
        (255, change(0, 0x31), PacketError::Version),
        (255, change(0, 0x32), PacketError::Version),
        (255, change(4, 3), PacketError::AuthType),
        (255, change(4, 1), PacketError::AuthMismatch),
        (255, change(4, 2), PacketError::AuthMismatch),
        (255, change(5, 2), PacketError::Interval),
        (255, change(0, 0x22), PacketError::Type),
    ];
    for (hops, bytes, error) in rows {
        assert_eq!(judge(&config, hops, &bytes), Judged::Rejected(error), "{bytes:?}");
    }
    let mut bytes = good(&config);
    bytes[7] ^= 1;
    assert_eq!(judge(&config, 255, &bytes), Judged::Rejected(PacketError::Checksum));
}

#[test]
fn a_password_must_match_over_all_eight_octets() {
    let mut config = instance(1, 100);
    config.authentication = Authentication::Pass(*b"42\0\0\0\0\0\0");
    assert!(matches!(judge(&config, 255, &good(&config)), Judged::Valid(_)));
    for at in 12..20 {
        let mut bytes = good(&config);
        bytes[at] ^= 1;
        resum(&mut bytes);
        assert_eq!(judge(&config, 255, &bytes), Judged::Rejected(PacketError::AuthFailure), "octet {at}");
    }
    let open = good(&instance(1, 100));
    assert_eq!(judge(&config, 255, &open), Judged::Rejected(PacketError::AuthMismatch));
}

#[test]
fn version_3_takes_another_interval_but_none_at_all_is_an_error() {
    let config = v3(instance(1, 100));
    let other = advert_of(&config, PEER, 120, ms(300));
    assert!(matches!(judge(&config, 255, &other), Judged::Valid(advert) if advert.interval == ms(300)));
    let none = advert_of(&config, PEER, 120, Duration::ZERO);
    assert_eq!(judge(&config, 255, &none), Judged::Rejected(PacketError::Interval));
}

#[test]
fn a_unicast_router_takes_only_unicast_and_checks_peers_only_when_told() {
    let mut config = v3(instance(1, 100));
    config.transport.to =
        Destination::Unicast(alloc::vec![Peer { address: ip(PEER), min_ttl: 254, max_ttl: 255 }]);
    let to_us = |config: &InstanceConfig, from: &str, hops: u8| {
        let addresses = [ip("192.0.2.100")];
        let payload = Advertisement {
            version: Version::V3,
            vrid: 51,
            priority: 1,
            interval: ms(1000),
            addresses: &addresses,
            auth: None,
        }
        .emit(ip(from), ip(OURS), ChecksumForm::Pseudo);
        check(config, &Packet { on: ETH0, from: ip(from), to: ip(OURS), hops, payload: &payload })
    };
    assert_eq!(judge(&config, 255, &good(&config)), Judged::Rejected(PacketError::Destination));
    assert!(matches!(to_us(&config, "198.51.100.1", 33), Judged::Valid(_)));
    config.transport.check_source = true;
    assert_eq!(to_us(&config, "198.51.100.1", 255), Judged::Rejected(PacketError::NotAPeer));
    assert_eq!(to_us(&config, PEER, 253), Judged::Rejected(PacketError::Ttl));
    assert!(matches!(to_us(&config, PEER, 254), Judged::Valid(_)));
}

#[test]
fn an_owner_that_ignores_advertisements_ignores_valid_ones() {
    let mut config = instance(1, 255);
    config.election.owner_ignores = true;
    assert_eq!(judge(&config, 255, &good(&config)), Judged::OwnerIgnores);
    assert_eq!(judge(&config, 1, &good(&config)), Judged::Rejected(PacketError::Ttl));
}
