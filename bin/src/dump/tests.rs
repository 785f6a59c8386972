use super::*;
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::source::MemorySource;
use standfast_core::event::PacketError;
use standfast_core::rng::Seed;

const TEXT: &str = "vrrp_instance \"A\" {\n interface eth0\n virtual_router_id 7\n priority 110\n authentication {\n \
                    auth_type PASS\n auth_pass secret\n }\n virtual_ipaddress {\n 192.0.2.100/24 label eth0:1\n }\n}\n";

fn snapshot() -> Snapshot {
    let source = MemorySource::with("k", TEXT.as_bytes());
    let loaded = load(&[(Language::Keepalived, "k")], &source, None, &Options::default());
    let node = Node::new(Arc::new(loaded.config.unwrap()), Seed(1), Time(5_000_000_000));
    Snapshot::of(&node, 1_795_449_647_288_437_000)
}

#[test]
fn the_json_is_one_and_its_password_is_starred() {
    let json: serde_json::Value = serde_json::from_str(&json::text(&snapshot())).unwrap();
    let data = &json[0]["data"];
    assert_eq!((&data["iname"], &data["vrid"], &data["state"]), (&"A".into(), &7.into(), &0.into()));
    assert_eq!((&data["auth_type"], &data["auth_data"]), (&1.into(), &json::STARS.into()));
    assert_eq!(data["vips"][0], "192.0.2.100/24 dev eth0 scope global label eth0:1");
    let mut second = snapshot();
    let mut config = Config::clone(&second.config);
    config.node.process.dumps.json_object = true;
    second.config = Arc::new(config);
    let json: serde_json::Value = serde_json::from_str(&json::text(&second)).unwrap();
    assert!(json["vrrp"][0]["stats"]["advert_sent"] == 0 && json["track_process"].is_array());
}

#[test]
fn no_file_has_the_password() {
    for kind in [Kind::Data, Kind::Stats, Kind::Json] {
        assert!(!kind.text(&snapshot()).contains("secret"), "{kind:?}");
    }
}

#[test]
fn counters_begin_anew_when_they_are_cleared_and_a_new_router_counts_from_zero() {
    let mut then = Counters { advert_sent: 5, ..Counters::default() };
    then.rejected.insert(PacketError::Ttl.as_str().to_owned(), 2);
    let mut now = then.clone();
    now.advert_sent = 7;
    stats::subtract(&mut now, &then);
    assert_eq!((now.advert_sent, now.rejected(PacketError::Ttl)), (2, 0));
    let mut fresh = Counters { advert_sent: 1, ..Counters::default() };
    stats::subtract(&mut fresh, &then);
    assert_eq!(fresh.advert_sent, 1);
}

#[test]
fn a_moment_of_the_node_is_shown_by_the_wall_clock() {
    let snapshot = snapshot();
    assert_eq!(words::seconds(snapshot.wall(Time(4_000_000_000))), "1795449646.288437");
    assert_eq!(words::seconds(snapshot.wall(Time(5_500_000_000))), "1795449647.788437");
}

#[test]
fn one_request_more_than_wait_is_dropped() {
    let asked = Asked::default();
    for _ in 0..=MAX_ASKED {
        asked.ask(Kind::Stats);
    }
    assert_eq!(asked.0.borrow().len(), MAX_ASKED);
}
