use super::*;
use alloc::vec;
use proptest::prelude::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn v2() -> Vec<u8> {
    let auth = Some(*b"42\0\0\0\0\0\0");
    let ad = Advertisement {
        version: Version::V2,
        vrid: 51,
        priority: 101,
        interval: Duration::from_secs(1),
        addresses: &[ip("192.0.2.100")],
        auth,
    };
    ad.emit(ip("192.0.2.1"), ip("224.0.0.18"), ChecksumForm::Pseudo)
}

#[test]
fn version_2_with_a_password_has_exactly_these_bytes() {
    // 2133 + 6501 + 0101 + c000 + 0264 + 3432 = 17dcb, folded 7dcc, inverted 8233.
    let expected =
        [0x21, 0x33, 0x65, 0x01, 0x01, 0x01, 0x82, 0x33, 192, 0, 2, 100, b'4', b'2', 0, 0, 0, 0, 0, 0];
    assert_eq!(v2(), expected);
}

#[test]
fn version_3_over_ipv4_has_exactly_these_bytes_in_both_forms() {
    let ad = Advertisement {
        version: Version::V3,
        vrid: 51,
        priority: 100,
        interval: Duration::from_secs(1),
        addresses: &[ip("192.0.2.100")],
        auth: None,
    };
    let (from, to) = (ip("192.0.2.1"), ip("224.0.0.18"));
    assert_eq!(
        ad.emit(from, to, ChecksumForm::Plain),
        [0x31, 0x33, 0x64, 0x01, 0x00, 0x64, 0xa8, 0x02, 192, 0, 2, 100]
    );
    assert_eq!(
        ad.emit(from, to, ChecksumForm::Pseudo),
        [0x31, 0x33, 0x64, 0x01, 0x00, 0x64, 0x05, 0x72, 192, 0, 2, 100]
    );
}

#[test]
fn version_3_over_ipv6_has_a_pseudo_header_whatever_the_form() {
    let ad = Advertisement {
        version: Version::V3,
        vrid: 7,
        priority: 255,
        interval: Duration::from_millis(10),
        addresses: &[ip("fe80::1"), ip("2001:db8::1")],
        auth: None,
    };
    let (from, to) = (ip("fe80::2"), ip("ff02::12"));
    let bytes = ad.emit(from, to, ChecksumForm::Plain);
    assert_eq!(bytes, ad.emit(from, to, ChecksumForm::Pseudo));
    assert_eq!(bytes.len(), 40);
    assert_eq!(bytes.get(..6), Some(&[0x31, 7, 255, 2, 0, 1][..]));
    let view = View::new(&bytes, Version::V3, Family::V6).unwrap();
    assert!(view.checksum_is_right(from, to));
    assert!(!view.checksum_is_right(from, ip("ff02::13")));
    assert_eq!(view.addresses().collect::<Vec<_>>(), vec![ip("fe80::1"), ip("2001:db8::1")]);
}

#[test]
fn both_checksum_forms_are_accepted_for_version_3_over_ipv4_and_a_wrong_one_never() {
    let (from, to) = (ip("192.0.2.1"), ip("224.0.0.18"));
    let mut ad = Advertisement {
        version: Version::V3,
        vrid: 1,
        priority: 1,
        interval: Duration::from_secs(1),
        addresses: &[],
        auth: None,
    };
    for form in [ChecksumForm::Pseudo, ChecksumForm::Plain] {
        ad.priority = 9;
        let mut bytes = ad.emit(from, to, form);
        assert!(View::new(&bytes, Version::V3, Family::V4).unwrap().checksum_is_right(from, to));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(view) = View::new(&bytes, Version::V3, Family::V4) {
                assert!(!view.checksum_is_right(from, to), "bit {bit}");
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn every_truncation_is_a_length_error() {
    let bytes = v2();
    for end in 0..bytes.len() {
        assert_eq!(View::new(&bytes[..end], Version::V2, Family::V4), Err(PacketError::Length), "{end}");
    }
}

#[test]
fn surplus_bytes_pass_only_as_padding_of_a_short_frame() {
    let mut bytes = v2();
    bytes.resize(26, 0);
    assert!(View::new(&bytes, Version::V2, Family::V4).is_ok());
    bytes.push(0);
    assert_eq!(View::new(&bytes, Version::V2, Family::V4), Err(PacketError::Length));
    let mut v6 = vec![0x31, 1, 1, 0, 0, 100, 0, 0];
    assert!(View::new(&v6, Version::V3, Family::V6).is_ok());
    v6.push(0);
    assert_eq!(View::new(&v6, Version::V3, Family::V6), Err(PacketError::Length));
}

#[test]
fn no_more_addresses_are_sent_than_the_count_can_say() {
    let many = vec![ip("192.0.2.1"); MAX_ADDRESSES + 1];
    let ad = Advertisement {
        version: Version::V3,
        vrid: 1,
        priority: 1,
        interval: Duration::from_secs(9999),
        addresses: &many,
        auth: None,
    };
    let bytes = ad.emit(ip("192.0.2.1"), ip("224.0.0.18"), ChecksumForm::Pseudo);
    let view = View::new(&bytes, Version::V3, Family::V4).unwrap();
    assert_eq!(view.addresses().count(), MAX_ADDRESSES);
    assert_eq!(view.interval(), Duration::from_millis(40_950));
}

#[test]
fn the_longest_interval_of_version_3_fits_its_twelve_bits_and_a_longer_one_is_cut() {
    for (asked, said) in [(40_940, 40_940), (40_950, 40_950), (40_960, 40_950)] {
        let ad = Advertisement {
            version: Version::V3,
            vrid: 1,
            priority: 1,
            interval: Duration::from_millis(asked),
            addresses: &[],
            auth: None,
        };
        let bytes = ad.emit(ip("192.0.2.1"), ip("224.0.0.18"), ChecksumForm::Pseudo);
        let view = View::new(&bytes, Version::V3, Family::V4).unwrap();
        assert_eq!(view.interval(), Duration::from_millis(said));
    }
}

proptest! {
    #[test]
    fn no_bytes_break_the_codec(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        fuzz_advertisement(&bytes);
    }

    #[test]
    fn likely_bytes_survive_the_round_trip(
        first in prop_oneof![Just(0x21u8), Just(0x31)], vrid: u8, priority: u8, count in 0u8..20, rest: [u8; 4],
        addresses in proptest::collection::vec(any::<u8>(), 328),
    ) {
        let mut bytes = vec![first, vrid, priority, count];
        bytes.extend_from_slice(&rest);
        bytes.extend_from_slice(&addresses);
        for size in [4usize, 16] {
            for tail in [0usize, 8] {
                fuzz_advertisement(&bytes[..HEADER + usize::from(count) * size + tail]);
            }
        }
    }
}
