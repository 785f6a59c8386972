//! What `convert` writes is read back as the same configuration, apart from the ids.

use proptest::prelude::*;
use standfast_core::config::finding::Findings;
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::model::{
    Algorithm, Bind, CheckConfig, Config, Counter, Expect, FrontendConfig, HashType, HttpProbe, LogFormat,
    LogTarget, LogTo, PoolConfig, Probe, Redispatch, Schedule, ServerConfig, TlsProbe, Tracked,
};
use standfast_core::config::names::{Kind, Names};
use standfast_core::config::native;
use standfast_core::config::source::MemorySource;
use standfast_core::config::talk::{Answer, Dial, Reply, Said, Step, Talk, Wanted};
use standfast_core::id::{CheckId, FrontendId, GroupId, InstanceId, PoolId, ServerId};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The same configuration with ids that depend on the order of things alone.
fn canonical(config: &Config) -> Config {
    let mut out = Config { node: config.node.clone(), ..Config::default() };
    let mut checks = BTreeMap::new();
    let mut by_name: Vec<_> = config.checks.values().collect();
    by_name.sort_by(|a, b| a.name.cmp(&b.name));
    for (n, check) in (1..).zip(by_name) {
        checks.insert(check.id, CheckId(n));
        out.checks.insert(CheckId(n), Arc::new(CheckConfig { id: CheckId(n), ..(**check).clone() }));
    }
    let mut routers = BTreeMap::new();
    for (n, instance) in (1..).zip(config.instances.values()) {
        let mut one = (**instance).clone();
        routers.insert(one.id, InstanceId(n));
        one.id = InstanceId(n);
        for tracker in &mut one.trackers {
            if let Tracked::Check(id) = &mut tracker.what {
                *id = checks[id];
            }
        }
        out.instances.insert(one.id, Arc::new(one));
    }
    for (n, group) in (1..).zip(config.groups.values()) {
        let mut one = (**group).clone();
        one.id = GroupId(n);
        one.members.iter_mut().for_each(|id| *id = routers[id]);
        out.groups.insert(one.id, Arc::new(one));
    }
    let mut pools = BTreeMap::new();
    for (n, pool) in (1..).zip(config.pools.values()) {
        let mut one = (**pool).clone();
        pools.insert(one.id, PoolId(n));
        one.id = PoolId(n);
        for (m, server) in (1..).zip(&mut one.servers) {
            server.id = ServerId(n * 1000 + m);
            server.check = server.check.map(|id| checks[&id]);
        }
        out.pools.insert(one.id, Arc::new(one));
    }
    for (n, frontend) in (1..).zip(config.frontends.values()) {
        let mut one = (**frontend).clone();
        one.id = FrontendId(n);
        one.pool = one.pool.map(|id| pools[&id]);
        out.frontends.insert(one.id, Arc::new(one));
    }
    out
}

fn read(text: &str) -> (Config, Findings) {
    let source = MemorySource::with("standfast.toml", text.as_bytes());
    let (mut config, mut findings) = (Config::default(), Findings::default());
    native::read("standfast.toml", &source, &mut config, &mut findings, &Options::default());
    (config, findings)
}

fn comes_back(config: &Config) {
    let text = native::write(config);
    let (again, findings) = read(&text);
    let said: Vec<String> = findings.list().iter().map(ToString::to_string).collect();
    assert!(said.is_empty(), "{}\n{text}", said.join("\n"));
    assert_eq!(canonical(&again), canonical(config), "\n{text}");
    assert_eq!(native::write(&again), text, "written twice, the text differs");
}

#[test]
fn the_guides_files_come_back() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guide");
    for kind in ["classic", "current"] {
        for node in ["cp1", "cp2", "cp3"] {
            let folder = guide.join(kind).join(node);
            let text = |name: &str| std::fs::read(folder.join(name)).expect("the guide's file");
            let mut source = MemorySource::with("keepalived.conf", &text("keepalived.conf"));
            source.files.insert("haproxy.cfg".into(), text("haproxy.cfg"));
            let inputs = [(Language::Keepalived, "keepalived.conf"), (Language::Haproxy, "haproxy.cfg")];
            let loaded = load(&inputs, &source, None, &Options::default());
            let config = loaded.config.expect("no errors in the guide's files");
            assert_eq!((config.instances.len(), config.pools.len(), config.checks.len()), (1, 1, 4));
            comes_back(&config);
        }
    }
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![(1_u64..5000).prop_map(Duration::from_millis), (1_u64..100_000).prop_map(Duration::from_secs)]
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_.:-]{1,12}"
}

fn address() -> impl Strategy<Value = SocketAddr> {
    (any::<[u8; 4]>(), any::<[u8; 16]>(), any::<bool>(), 1_u16..).prop_map(|(v4, v6, six, port)| {
        if six { SocketAddr::from((v6, port)) } else { SocketAddr::from((v4, port)) }
    })
}

fn log() -> impl Strategy<Value = Vec<LogTarget>> {
    let to = prop_oneof![
        Just(LogTo::Stdout),
        Just(LogTo::Stderr),
        address().prop_map(LogTo::Udp),
        "/[ -~]{0,20}".prop_map(LogTo::Unix)
    ];
    let format = prop_oneof![Just(LogFormat::Local), Just(LogFormat::Raw), Just(LogFormat::Rfc5424)];
    let target = (to, format, 0_u8..24, 0_u8..8, 80_u16..)
        .prop_map(|(to, format, facility, level, length)| LogTarget { to, format, facility, level, length });
    prop::collection::vec(target, 0..3)
}

fn tls() -> impl Strategy<Value = TlsProbe> {
    let roots = prop::option::of("[ -~\n\"']{0,40}".prop_map(|text| Arc::from(text.as_str())));
    (any::<bool>(), roots, prop::option::of(any::<String>()), prop::collection::vec(any::<String>(), 0..3))
        .prop_map(|(verify, roots, name, alpn)| TlsProbe { verify, roots, name, alpn })
}

fn expect() -> impl Strategy<Value = Expect> {
    let range = (100_u16..=999, 100_u16..=999).prop_map(|(a, b)| (a.min(b), a.max(b)));
    prop_oneof![
        Just(Expect::Default),
        (prop::collection::vec(range, 0..4), any::<bool>())
            .prop_map(|(ranges, negated)| Expect::Status { ranges, negated }),
        (any::<String>(), any::<bool>()).prop_map(|(text, negated)| Expect::Body { text, negated }),
    ]
}

fn step(dial: impl Strategy<Value = Dial> + 'static) -> impl Strategy<Value = Step> {
    let said = || prop::collection::vec(any::<u8>(), 0..12).prop_map(|octets| Said::new(&octets));
    let reply = prop_oneof![
        Just(Reply::Pong),
        Just(Reply::Smtp),
        Just(Reply::MysqlGreeting),
        Just(Reply::MysqlLogin),
        Just(Reply::Pgsql),
        Just(Reply::Ldap)
    ];
    let what = prop_oneof![
        said().prop_map(Wanted::Octets),
        "[a-z^ ]{0,9}".prop_map(Wanted::Pattern),
        "[0-9A-F]{0,9}".prop_map(Wanted::HexPattern),
        reply.prop_map(Wanted::Reply),
    ];
    let answer = (what, any::<bool>(), prop::option::of(any::<u32>()))
        .prop_map(|(what, negated, least)| Step::Expect(Answer { what, negated, least }));
    prop_oneof![dial.prop_map(Step::Connect), said().prop_map(Step::Send), answer]
}

fn probe() -> impl Strategy<Value = Probe> {
    let http = (
        (address(), duration(), prop::option::of(tls()), any::<String>(), any::<String>(), any::<String>()),
        (prop::collection::vec((any::<String>(), any::<String>()), 0..3), any::<String>(), expect()),
    )
        .prop_map(|((to, connect, tls, method, uri, version), (headers, body, expect))| {
            Probe::Http(HttpProbe { to, connect, tls, method, uri, version, headers, body, expect })
        });
    let dial = || (address(), prop::option::of(tls())).prop_map(|(to, tls)| Dial { to, tls });
    let talk = (dial(), duration(), prop::collection::vec(step(dial()), 1..5))
        .prop_map(|(first, connect, steps)| Probe::Talk(Talk { first, connect, steps }));
    prop_oneof![
        talk,
        (address(), duration()).prop_map(|(to, connect)| Probe::Tcp { to, connect }),
        (address(), duration()).prop_map(|(to, connect)| Probe::SslHello { to, connect }),
        (address(), duration(), tls()).prop_map(|(to, connect, tls)| Probe::Tls { to, connect, tls }),
        http,
    ]
}

type Drawn = (SocketAddr, u16, [bool; 3], Option<(Probe, [Duration; 4], [u32; 2])>);

fn server() -> impl Strategy<Value = Drawn> {
    let check = (probe(), [duration(), duration(), duration(), duration()], [1_u32..100, 1_u32..100]);
    (address(), 0_u16..=256, any::<[bool; 3]>(), prop::option::of(check))
}

fn pool_of(
    names: &mut Names,
    name: &str,
    servers: Vec<(String, Drawn)>,
    same: bool,
    config: &mut Config,
) -> PoolConfig {
    let mut out = Vec::new();
    let mut first: Option<CheckConfig> = None;
    for (server, (address, weight, [backup, disabled, shutdown], check)) in servers {
        let full = format!("{name}/{server}");
        let id = CheckId(names.id(Kind::Check, &full));
        let drawn = check.map(|(probe, [interval, fast, down, timeout], [rise, fall])| CheckConfig {
            id,
            name: Arc::from(full.as_str()),
            probe: Arc::new(probe),
            schedule: Schedule { interval, fast, down, timeout },
            counter: Counter::Server,
            rise,
            fall,
        });
        // Half of the pools have one check for all, as real ones do.
        let check = match (&first, drawn) {
            (Some(first), Some(_)) if same => {
                Some(CheckConfig { id, name: Arc::from(full.as_str()), ..first.clone() })
            }
            (_, drawn) => drawn,
        };
        first = first.or_else(|| check.clone());
        out.push(ServerConfig {
            id: ServerId(names.id(Kind::Server, &full)),
            name: Arc::from(server.as_str()),
            address,
            weight,
            backup,
            disabled,
            check: check.as_ref().map(|check| check.id),
            shutdown_when_down: shutdown,
        });
        config.checks.extend(check.map(|check| (check.id, Arc::new(check))));
    }
    PoolConfig {
        id: PoolId(names.id(Kind::Pool, name)),
        name: Arc::from(name),
        algorithm: Algorithm::RoundRobin,
        all_backups: false,
        servers: out,
        retries: 3,
        redispatch: Redispatch::Never,
        connect: None,
        server: None,
        log: Vec::new(),
        listen: false,
    }
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![
        Just(Algorithm::RoundRobin),
        Just(Algorithm::StaticRr),
        Just(Algorithm::LeastConn),
        Just(Algorithm::Source(HashType::MapBased)),
        Just(Algorithm::Source(HashType::Consistent)),
        (1_u8..).prop_map(|draws| Algorithm::Random { draws }),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let pool = (
        prop::collection::btree_map(name(), server(), 0..4),
        (any::<[bool; 3]>(), algorithm()),
        (0_u32..9, 0_u32..5, prop::option::of(duration()), prop::option::of(duration()), log()),
    );
    let binds = prop::collection::vec((address(), any::<[bool; 2]>(), prop::option::of(name())), 0..3);
    let frontend = (
        binds,
        prop::option::of(duration()),
        any::<u32>(),
        any::<[bool; 2]>(),
        log(),
        any::<prop::sample::Index>(),
    );
    (prop::collection::btree_map(name(), pool, 0..4), prop::collection::btree_map(name(), frontend, 0..4))
        .prop_map(|(pools, frontends)| {
            let (mut config, mut names) = (Config::default(), Names::default());
            for (
                name,
                (servers, ([same, listen, all_backups], algorithm), (retries, every, connect, server, log)),
            ) in pools
            {
                let redispatch = match every {
                    0 => Redispatch::Never,
                    1 => Redispatch::Last,
                    n => Redispatch::Every(n),
                };
                let servers = servers.into_iter().collect();
                let pool = pool_of(&mut names, &name, servers, same, &mut config);
                let pool = PoolConfig {
                    algorithm,
                    all_backups,
                    retries,
                    redispatch,
                    connect,
                    server,
                    log,
                    listen,
                    ..pool
                };
                config.pools.insert(pool.id, Arc::new(pool));
            }
            let ids: Vec<PoolId> = config.pools.keys().copied().collect();
            for (name, (binds, client, max, [tcplog, dont_log_null], log, pick)) in frontends {
                let id = FrontendId(names.id(Kind::Frontend, &name));
                let bind = |(at, [free, both_families], interface): (_, [bool; 2], _)| Bind {
                    at,
                    free,
                    interface,
                    both_families,
                };
                let frontend = FrontendConfig {
                    id,
                    name: Arc::from(name.as_str()),
                    binds: binds.into_iter().map(bind).collect(),
                    pool: (!ids.is_empty()).then(|| *pick.get(&ids)),
                    client,
                    max_connections: max,
                    tcplog,
                    dont_log_null,
                    log,
                };
                config.frontends.insert(id, Arc::new(frontend));
            }
            config
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_balancer_comes_back(config in config()) {
        comes_back(&config);
    }
}

#[test]
fn every_setting_of_a_virtual_router_comes_back() {
    let text = include_str!("native_round_trip/everything.toml");
    let (config, findings) = read(text);
    let said: Vec<String> = findings.list().iter().map(ToString::to_string).collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
    let instance = config.instances.values().next().expect("a virtual router");
    assert_eq!((instance.router.vrid, instance.election.priority, instance.addresses.len()), (51, 200, 2));
    assert!(
        instance.election.lower_no_advert && !instance.election.preempt && !instance.election.last_advert
    );
    assert_eq!(instance.trackers.len(), 2);
    comes_back(&config);
}
