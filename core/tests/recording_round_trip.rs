//! Any input is encoded and decoded to itself, and any sequence of inputs replays with the same actions.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod recording;

use proptest::collection::vec;
use proptest::prelude::*;
use recording::{Flight, replay};
use standfast_core::id::{CheckId, InstanceId, Interface, PoolId, ServerId, Ticket};
use standfast_core::input::{Admin, CheckCode, Errno, Input, KernelNotice, Order, Outcome, Tally};
use standfast_core::record::{DecodeError, decode, encode};
use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        any::<u32>().prop_map(|id| Order::Resign(InstanceId(id % 2))),
        any::<u32>().prop_map(|id| Order::Rejoin(InstanceId(id % 2))),
        (0..3_u8).prop_map(|admin| Order::Server {
            pool: PoolId(1),
            server: ServerId(1),
            admin: [Admin::Ready, Admin::Drain, Admin::Maintenance][usize::from(admin)],
        }),
        (0..=256_u16).prop_map(|weight| Order::Weight { pool: PoolId(1), server: ServerId(1), weight }),
    ]
}

fn notice() -> impl Strategy<Value = KernelNotice> {
    let net = || {
        any::<(u32, bool)>().prop_map(|(host, six)| {
            if six {
                ipnet::IpNet::new(IpAddr::from(u128::from(host).to_be_bytes()), 64).unwrap()
            } else {
                ipnet::IpNet::new(IpAddr::from(host.to_be_bytes()), 24).unwrap()
            }
        })
    };
    let on = || (0..4_u32).prop_map(Interface);
    prop_oneof![
        on().prop_map(KernelNotice::LinkGone),
        (on(), net(), any::<bool>(), any::<bool>()).prop_map(|(on, address, marked, tentative)| {
            KernelNotice::Address { on, address, marked, tentative }
        }),
        (on(), net()).prop_map(|(on, address)| KernelNotice::AddressGone { on, address }),
        Just(KernelNotice::ResyncBegin),
        Just(KernelNotice::ResyncEnd),
        (on(), any::<i32>()).prop_map(|(on, errno)| KernelNotice::Unsent { on, errno: Errno(errno) }),
    ]
}

fn input() -> impl Strategy<Value = Input<'static>> {
    let address = || {
        any::<(u128, bool)>().prop_map(|(bits, six)| {
            if six {
                IpAddr::from(bits.to_be_bytes())
            } else {
                IpAddr::from([192, 0, 2, bits.to_be_bytes()[0]])
            }
        })
    };
    let payload = prop_oneof![
        vec(any::<u8>(), 0..80),
        any::<[u8; 20]>().prop_map(|mut bytes| {
            (bytes[0], bytes[1], bytes[3]) = (0x21, 51, 1);
            bytes.to_vec()
        })
    ];
    prop_oneof![
        4 => Just(Input::Tick),
        4 => (address(), address(), any::<u8>(), payload).prop_map(|(from, to, hops, payload)| Input::Packet {
            on: Interface(2), from, to, hops, payload: Cow::Owned(payload),
        }),
        2 => (0..3_u32, 0..40_u64, any::<bool>(), ".{0,40}", any::<u32>()).prop_map(
            |(check, ticket, passed, info, took)| Input::Checked {
                check: CheckId(check),
                ticket: Ticket(ticket),
                outcome: Outcome {
                    passed,
                    code: if passed { CheckCode::L7Ok } else { CheckCode::L4Timeout },
                    status: None,
                    info,
                    took: Duration::from_nanos(u64::from(took)),
                },
            }
        ),
        1 => any::<[u32; 4]>().prop_map(|[connected, failed, failed_in_a_row, open]| Input::Observed {
            pool: PoolId(1),
            server: ServerId(1),
            tally: Tally { connected: connected >> 16, failed: failed >> 16, failed_in_a_row, open },
        }),
        2 => (0..40_u64, any::<Option<i32>>()).prop_map(|(ticket, errno)| Input::Done {
            ticket: Ticket(ticket),
            result: errno.map_or(Ok(()), |errno| Err(Errno(errno))),
        }),
        2 => notice().prop_map(Input::Kernel),
        1 => order().prop_map(Input::Order),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_input_comes_back_as_it_was(input in input()) {
        let mut bytes = Vec::new();
        encode(&input, None, &mut bytes).unwrap();
        prop_assert_eq!(decode::<Input<'static>>(&bytes), Ok(input));
        for end in 0..bytes.len() {
            let cut: Result<Input<'static>, DecodeError> = decode(&bytes[..end]);
            prop_assert!(cut.is_err(), "cut at {}", end);
        }
    }

    #[test]
    fn random_bytes_are_refused_or_read_but_never_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode::<Input<'static>>(&bytes);
        let _ = decode::<standfast_core::config::model::Config>(&bytes);
        let _ = decode::<standfast_core::node::Node>(&bytes);
    }

    #[test]
    fn whatever_happens_to_a_node_replays_with_the_same_actions(inputs in vec((input(), 0..2_000_u64), 1..60)) {
        let mut flight = Flight::start(1 << 18);
        for (input, later) in inputs {
            flight.pass(Duration::from_millis(later));
            flight.feed(input);
        }
        let fed = flight.fed;
        let told = replay(&flight.finish()).unwrap();
        prop_assert_eq!((told.fed, told.differences, told.damages.len()), (fed, 0, 0));
    }
}

#[test]
fn a_float_is_neither_encoded_nor_decoded() {
    let mut out = Vec::new();
    assert!(encode(&1.5_f64, None, &mut out).unwrap_err().to_string().contains("float"));
    assert!(encode(&1.5_f32, None, &mut out).is_err());
    assert!(out.is_empty(), "nothing of it is written");
    let zeros = [0; 16];
    assert!(decode::<f64>(&zeros).is_err() && decode::<f32>(&zeros).is_err());
    assert_eq!(decode::<[u64; 2]>(&zeros[..2]), Ok([0, 0]), "an integer is");
}
