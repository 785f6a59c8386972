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
        all_backups: false,
        servers: servers.collect(),
        retries: 3,
        redispatch: Redispatch::Never,
        connect: None,
        server: None,
    }
}

fn without(id: u32) -> Ask<'static> {
    Ask { exclude: Some(ServerId(id)), ..Ask::anybody() }
}

fn letters(picker: &mut Picker, view: &PoolView, count: usize) -> String {
    (0..count)
        .map(|_| match picker.pick(view, &Ask::anybody()) {
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
    assert_eq!(picker.pick(&both, &without(0)), Some(1));
    let one = view(1, &[(0, 1)]);
    assert_eq!(Picker::new().pick(&one, &without(0)), None);
}

#[test]
fn excluding_again_and_again_neither_stops_nor_starves_the_rest() {
    let view = view(1, &[(0, 1), (1, 1), (2, 1)]);
    let mut picker = Picker::new();
    let mut counts = [0; 3];
    for _ in 0..1000 {
        counts[picker.pick(&view, &without(0)).unwrap()] += 1;
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
    assert_eq!(Picker::new().pick(&view, &Ask::anybody()), None);
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
        let picks: Vec<usize> = (0..sum * 16 * 2).map(|_| picker.pick(&view, &Ask::anybody()).unwrap()).collect();
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
                let picked = picker.pick(&view, &Ask::anybody());
                let any = view.servers.iter().any(takes);
                prop_assert_eq!(picked.is_some(), any);
                prop_assert!(picked.is_none_or(|at| takes(&view.servers[at])));
            }
        }
    }
}

/// A view of servers a, b, c ... with these weights and this algorithm.
fn view_of(algorithm: Algorithm, weights: &[u32]) -> PoolView {
    let servers: Vec<(u32, u32)> = (0u32..).zip(weights.iter().copied()).collect();
    PoolView { algorithm, ..view(1, &servers) }
}

#[test]
fn static_rr_walks_over_haproxys_map() {
    let view = view_of(Algorithm::StaticRr, &[3, 1, 2]);
    assert_eq!(letters(&mut Picker::new(), &view, 12), "aacabcaacabc");
    let mut picker = Picker::new();
    assert_eq!(picker.pick(&view, &without(0)), Some(2));
}

#[test]
fn leastconn_gives_what_haproxy_gave_with_six_held_sessions() {
    let view = view_of(Algorithm::LeastConn, &[1, 2, 1]);
    let (mut picker, mut held) = (Picker::new(), [0u32; 3]);
    let mut picks = String::new();
    for _ in 0..6 {
        let loads = held;
        let load = move |id: ServerId| loads[usize::try_from(id.0).unwrap()];
        let at = picker.pick(&view, &Ask { load: &load, ..Ask::anybody() }).unwrap();
        held[at] += 1;
        picks.push(char::from(b'a' + u8::try_from(at).unwrap()));
    }
    assert_eq!(picks, "abcbba");
}

#[test]
fn leastconn_takes_turns_among_idle_servers() {
    let view = view_of(Algorithm::LeastConn, &[1, 1, 1]);
    assert_eq!(letters(&mut Picker::new(), &view, 6), "abcabc");
}

#[test]
fn a_source_goes_to_one_server_and_haproxys_loopback_client_to_the_third_of_three() {
    let view = view_of(Algorithm::Source(HashType::MapBased), &[1, 1, 1]);
    let ask = |text: &str| Ask { client: Some(text.parse().unwrap()), ..Ask::anybody() };
    let mut picker = Picker::new();
    for _ in 0..5 {
        assert_eq!(picker.pick(&view, &ask("127.0.0.1")), Some(2));
        assert_eq!(picker.pick(&view, &ask("::ffff:127.0.0.1")), Some(2));
    }
    let again = Ask { exclude: Some(ServerId(2)), ..ask("127.0.0.1") };
    assert!(picker.pick(&view, &again).is_some_and(|at| at != 2), "a redispatch helps");
}

#[test]
fn with_one_usable_server_every_source_goes_there() {
    let mut view = view_of(Algorithm::Source(HashType::MapBased), &[1, 1, 1]);
    view.servers[0].usable = false;
    view.servers[2].usable = false;
    let ask = Ask { client: Some("192.0.2.7".parse().unwrap()), ..Ask::anybody() };
    assert_eq!(Picker::new().pick(&view, &ask), Some(1));
    assert_eq!(Picker::new().pick(&view, &Ask { exclude: Some(ServerId(1)), ..ask }), None);
}

#[test]
fn allbackups_balances_over_all_backups_and_only_without_active_servers() {
    let mut view = view(1, &[(0, 1), (1, 1), (2, 1)]);
    view.all_backups = true;
    view.servers[1].backup = true;
    view.servers[2].backup = true;
    let mut picker = Picker::new();
    assert_eq!(letters(&mut picker, &view, 2), "aa");
    view.version = 2;
    view.servers[0].usable = false;
    let picks = letters(&mut picker, &view, 40);
    assert_eq!((picks.matches('b').count(), picks.matches('c').count()), (20, 20));
}

#[test]
fn random_with_many_draws_prefers_the_idle_server() {
    let view = view_of(Algorithm::Random { draws: 8 }, &[1, 1]);
    let load = |id: ServerId| if id.0 == 0 { 100 } else { 0 };
    let mut picker = Picker::new();
    let mut counts = [0; 2];
    for _ in 0..400 {
        counts[picker.pick(&view, &Ask { load: &load, ..Ask::anybody() }).unwrap()] += 1;
    }
    assert!(counts[0] < 10, "{counts:?}"); // 2^-8 of the draws see only the busy one
}

/// How many of `clients` go elsewhere once the server at `gone` is unusable, of those that it did not serve.
fn moved(kind: HashType, weights: &[u32], gone: usize, clients: u32) -> (usize, usize) {
    let mut view = view_of(Algorithm::Source(kind), weights);
    let ask = |n: u32| Ask {
        client: Some(core::net::Ipv4Addr::from_bits(n.wrapping_mul(2_654_435_761)).into()),
        ..Ask::anybody()
    };
    let mut picker = Picker::new();
    let before: Vec<usize> = (0..clients).map(|n| picker.pick(&view, &ask(n)).unwrap()).collect();
    view.version += 1;
    view.servers[gone].usable = false;
    let after: Vec<usize> = (0..clients).map(|n| picker.pick(&view, &ask(n)).unwrap()).collect();
    let others = before.iter().zip(&after).filter(|(old, new)| **old != gone && old != new).count();
    (others, before.iter().filter(|at| **at == gone).count())
}

#[test]
fn a_consistent_hash_moves_no_client_of_the_servers_that_stay() {
    let (others, own) = moved(HashType::Consistent, &[1, 1, 1, 1, 2], 2, 20_000);
    assert_eq!(others, 0);
    assert!(own > 20_000 / 12 && own < 20_000 / 3, "a sixth is this server's share: {own}");
    let (others, _) = moved(HashType::MapBased, &[1, 1, 1, 1, 2], 2, 20_000);
    assert!(others > 5_000, "map-based moves most: {others}");
}

proptest! {
    #[test]
    fn a_map_gives_each_server_exactly_its_weight_in_a_walk(
        weights in proptest::collection::vec(1u32..=24, 1..7),
    ) {
        let view = view_of(Algorithm::StaticRr, &weights);
        let sum = usize::try_from(weights.iter().sum::<u32>()).unwrap();
        let mut picker = Picker::new();
        let picks: Vec<usize> = (0..sum).map(|_| picker.pick(&view, &Ask::anybody()).unwrap()).collect();
        for (at, weight) in weights.iter().enumerate() {
            let count = picks.iter().filter(|pick| **pick == at).count();
            prop_assert_eq!(count, usize::try_from(*weight).unwrap());
        }
    }

    #[test]
    fn no_algorithm_gives_an_unusable_or_excluded_server_while_another_can_be_had(
        kind in 0usize..6, mask in 0u32..16, exclude in 0u32..5, client in any::<u32>(),
    ) {
        let all = [
            Algorithm::RoundRobin,
            Algorithm::StaticRr,
            Algorithm::LeastConn,
            Algorithm::Source(HashType::MapBased),
            Algorithm::Source(HashType::Consistent),
            Algorithm::Random { draws: 2 },
        ];
        let mut view = view_of(all[kind], &[1, 2, 3, 4]);
        for (at, server) in view.servers.iter_mut().enumerate() {
            server.usable = mask & (1 << at) != 0;
        }
        let ask = Ask {
            exclude: Some(ServerId(exclude)),
            client: Some(core::net::Ipv4Addr::from_bits(client).into()),
            load: &|id| id.0,
        };
        let mut picker = Picker::new();
        for _ in 0..8 {
            let picked = picker.pick(&view, &ask);
            let others = view.servers.iter().any(|s| takes(s) && s.id.0 != exclude);
            prop_assert_eq!(picked.is_some(), others);
            prop_assert!(picked.is_none_or(|at| takes(&view.servers[at]) && view.servers[at].id.0 != exclude));
        }
    }
}
