//! The order of picks, beside haproxy's as seen.

use super::*;
use crate::config::model::Redispatch;
use crate::id::PoolId;
use alloc::string::String;
use proptest::prelude::*;

fn view(version: u64, servers: &[(u32, u32)]) -> PoolView {
    let servers = servers.iter().map(|(id, weight)| ServerView {
        id: ServerId(*id),
        name: "s".into(),
        address: core::net::SocketAddr::from(([192, 0, 2, 1], 80)),
        weight: weight * 16,
        usable: true,
        backup: false,
        shutdown: false,
    });
    PoolView {
        pool: PoolId(1),
        name: "p".into(),
        version,
        algorithm: Algorithm::RoundRobin,
        servers: servers.collect(),
        retries: 3,
        redispatch: Redispatch::Never,
        connect: None,
        server: None,
    }
}

fn letters(picker: &mut Picker, view: &PoolView, count: usize) -> String {
    (0..count)
        .map(|_| match picker.pick(view, None) {
            Some(at) => char::from(b'a' + u8::try_from(view.servers[at].id.0).unwrap()),
            None => '-',
        })
        .collect()
}

#[test]
fn equal_weights_take_turns_in_the_files_order() {
    let view = view(1, &[(0, 1), (1, 1), (2, 1)]);
    assert_eq!(letters(&mut Picker::new(), &view, 120), "abc".repeat(40));
}

#[test]
fn weights_three_one_two_give_haproxys_order() {
    let view = view(1, &[(0, 3), (1, 1), (2, 2)]);
    assert_eq!(letters(&mut Picker::new(), &view, 300), "acabac".repeat(50));
}

#[test]
fn uneven_weights_give_what_haproxy_2_6_gave_on_loopback() {
    let rows: [(&[u32], &str); 4] = [
        (
            &[11, 5, 9],
            "acacabcaacbacacbacaabcacabcacabcaacbacacbacaabcacabcacabcaacbacacbacaabcacabcacabcaacbacacbacaabcaca\
             bcacabcaacbacacbacaabcacabcacabcaacbacacbacaabcaca",
        ),
        (
            &[10, 5, 3, 3],
            "abacabadabacabdaacbaadbacabadabacabdaacbaadbacabadabacabdaacbaadbacabadabacabdaacbaadbacabadabacabda\
             acbaadbacabadabacabdaacbaadbacabadabacabdaacbaadba",
        ),
        (
            &[7, 2, 2],
            "aabaacabaacaabaacabaacaabaacabaacaabaacabaacaabaacabaacaabaacabaacaabaacabaacaabaacabaacaabaacabaaca\
             abaacabaacaabaacabaacaabaacabaacaabaacabaacaabaaca",
        ),
        (
            &[5, 3],
            "aababaabaababaabaababaabaababaabaababaabaababaabaababaabaababaabaababaabaababaabaababaabaababaabaaba\
             baabaababaabaababaabaababaabaababaabaababaabaababa",
        ),
    ];
    for (weights, picks) in rows {
        let servers: Vec<(u32, u32)> = (0u32..).zip(weights.iter().copied()).collect();
        assert_eq!(letters(&mut Picker::new(), &view(1, &servers), 150), picks, "{weights:?}");
    }
}

#[test]
fn an_excluded_server_is_skipped_and_the_only_one_is_not_given() {
    let both = view(1, &[(0, 1), (1, 1)]);
    let mut picker = Picker::new();
    assert_eq!(picker.pick(&both, Some(ServerId(0))), Some(1));
    let one = view(1, &[(0, 1)]);
    assert_eq!(Picker::new().pick(&one, Some(ServerId(0))), None);
}

#[test]
fn excluding_again_and_again_neither_stops_nor_starves_the_rest() {
    let view = view(1, &[(0, 1), (1, 1), (2, 1)]);
    let mut picker = Picker::new();
    let mut counts = [0; 3];
    for _ in 0..1000 {
        counts[picker.pick(&view, Some(ServerId(0))).unwrap()] += 1;
    }
    assert_eq!(counts, [0, 500, 500]);
    assert_eq!(letters(&mut picker, &view, 300).matches('b').count(), 100);
}

#[test]
fn a_view_change_keeps_the_turn_of_the_others_and_a_newcomer_waits_for_the_next_round() {
    let two = view(1, &[(0, 1), (1, 1)]);
    let mut picker = Picker::new();
    assert_eq!(letters(&mut picker, &two, 3), "aba");
    let three = view(2, &[(0, 1), (1, 1), (2, 1)]);
    assert_eq!(letters(&mut picker, &three, 1), "b");
    let later = letters(&mut picker, &three, 300);
    let c = later.matches('c').count();
    assert!((80..=110).contains(&c), "{c}");
    assert!(
        later.ends_with(&"acb".repeat(80))
            || later.ends_with(&"cba".repeat(80))
            || later.ends_with(&"bac".repeat(80)),
        "{later}"
    );
}

#[test]
fn only_the_first_usable_backup_serves_and_only_when_no_active_server_can() {
    let mut view = view(1, &[(0, 1), (1, 1), (2, 1)]);
    view.servers[1].backup = true;
    view.servers[2].backup = true;
    let mut picker = Picker::new();
    assert_eq!(letters(&mut picker, &view, 3), "aaa");
    view.version = 2;
    view.servers[0].usable = false;
    assert_eq!(letters(&mut picker, &view, 3), "bbb");
    view.version = 3;
    view.servers[1].usable = false;
    assert_eq!(letters(&mut picker, &view, 3), "ccc");
    view.version = 4;
    view.servers[1].usable = true;
    assert_eq!(letters(&mut picker, &view, 2), "bb");
    view.version = 5;
    view.servers[0].usable = true;
    assert_eq!(letters(&mut picker, &view, 3), "aaa");
}

#[test]
fn no_usable_server_gives_none() {
    let mut view = view(1, &[(0, 1), (1, 0)]);
    view.servers[0].usable = false;
    assert_eq!(Picker::new().pick(&view, None), None);
}

proptest! {
    #[test]
    fn each_server_gets_its_weight_in_any_window_at_most_two_more_or_less(
        weights in proptest::collection::vec(1u32..=24, 1..7),
    ) {
        let servers: Vec<(u32, u32)> = (0u32..).zip(weights.iter().copied()).collect();
        let view = view(1, &servers);
        let sum = usize::try_from(weights.iter().sum::<u32>()).unwrap();
        let mut picker = Picker::new();
        let picks: Vec<usize> = (0..sum * 16 * 2).map(|_| picker.pick(&view, None).unwrap()).collect();
        let count = |window: &[usize], at: usize| window.iter().filter(|p| **p == at).count();
        for (at, weight) in weights.iter().enumerate() {
            let weight = usize::try_from(*weight).unwrap();
            for round in picks.chunks(sum * 16) {
                prop_assert!(count(round, at).abs_diff(weight * 16) <= 1);
            }
            for window in picks.windows(sum).step_by(7) {
                prop_assert!(count(window, at).abs_diff(weight) <= 2, "{at} of {weights:?}");
            }
        }
    }

    #[test]
    fn views_that_change_at_random_never_make_it_pick_an_unusable_server(
        steps in proptest::collection::vec((0u32..16, 0u32..5, 1usize..20), 1..40),
    ) {
        let mut picker = Picker::new();
        for (version, (mask, weight, count)) in (1u64..).zip(steps) {
            let mut view = view(version, &[(0, weight), (1, 1), (2, 2), (3, 3)]);
            for (at, server) in view.servers.iter_mut().enumerate() {
                server.usable = mask & (1 << at) != 0;
            }
            for _ in 0..count {
                let picked = picker.pick(&view, None);
                let any = view.servers.iter().any(takes);
                prop_assert_eq!(picked.is_some(), any);
                prop_assert!(picked.is_none_or(|at| takes(&view.servers[at])));
            }
        }
    }
}
