use super::*;
use crate::config::model::{Family, Version};
use crate::wire::vrrp::{Advertisement, ChecksumForm, View};
use alloc::vec::Vec;
use core::net::IpAddr;

const KEY: Key = Key::new(1, 2);

fn packet(password: [u8; 8], family: Family) -> (Vec<u8>, IpAddr, IpAddr) {
    let (from, to): (IpAddr, IpAddr) = match family {
        Family::V4 => ("192.0.2.1".parse().unwrap(), "224.0.0.18".parse().unwrap()),
        Family::V6 => ("fe80::1".parse().unwrap(), "ff02::12".parse().unwrap()),
    };
    let address = match family {
        Family::V4 => "192.0.2.9".parse().unwrap(),
        Family::V6 => "2001:db8::9".parse().unwrap(),
    };
    let advertisement = Advertisement {
        version: Version::V2,
        vrid: 51,
        priority: 100,
        interval: core::time::Duration::from_secs(1),
        addresses: &[address],
        auth: Some(password),
    };
    (advertisement.emit(from, to, ChecksumForm::default()), from, to)
}

#[test]
fn the_reference_vector_of_siphash_comes_out() {
    let key = Key::new(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
    let message: Vec<u8> = (0..15).collect();
    assert_eq!(key.hash(&message), 0xa129_ca61_49be_45e5);
}

#[test]
fn a_right_checksum_stays_right_and_a_wrong_one_wrong_whatever_the_password() {
    for family in [Family::V4, Family::V6] {
        for n in 0..2_000_u64 {
            let (mut payload, from, to) = packet(n.to_be_bytes(), family);
            KEY.replace_in_packet(&mut payload, family == Family::V6);
            let view = View::new(&payload, Version::V2, family).unwrap();
            assert!(view.checksum_is_right(from, to), "{payload:02x?}");
            assert_eq!(n == 0, view.auth_data() == [0; 8]);
            assert!(n == 0 || view.auth_data() != n.to_be_bytes());

            let (mut payload, from, to) = packet(n.to_be_bytes(), family);
            payload[2] ^= 1;
            KEY.replace_in_packet(&mut payload, family == Family::V6);
            let view = View::new(&payload, Version::V2, family).unwrap();
            assert!(!view.checksum_is_right(from, to));
        }
    }
}

#[test]
fn a_packet_made_with_the_fingerprint_equals_the_redacted_packet_made_with_the_password() {
    for n in 1..2_000_u64 {
        let mut fingerprint = n.to_be_bytes();
        KEY.replace(&mut fingerprint);
        let (mut payload, ..) = packet(n.to_be_bytes(), Family::V4);
        KEY.replace_in_packet(&mut payload, false);
        assert_eq!(payload, packet(fingerprint, Family::V4).0);
    }
}

#[test]
fn a_password_is_found_in_no_packet_however_it_was_damaged() {
    let password = *b"s3cret!!";
    let (whole, ..) = packet(password, Family::V4);
    for bit in 0..8 * 8 {
        for end in 0..=whole.len() {
            let mut payload = whole.clone();
            payload[bit / 8] ^= 1 << (bit % 8);
            payload.truncate(end);
            payload.extend_from_slice(b"padding.");
            KEY.replace_in_packet(&mut payload, false);
            // What lies where addresses are announced stays: an attacker could announce anything there.
            let count = usize::from(payload.get(3).copied().unwrap_or(0));
            let rest = payload.get(8 + 4 * count..).unwrap_or_default();
            assert!(!rest.windows(8).any(|w| w == password), "bit {bit}, end {end}: {payload:02x?}");
        }
    }
}
