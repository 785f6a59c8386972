//! From the file's tables to the model: names to ids, defaults filled in, what concerns several values checked.

use super::bfd;
use super::check;
use super::codes;
use super::desk::Desk;
use super::file::{self, File};
use super::process;
use super::value::{AtLeastOne, Time, VersionNumber};
use super::watch;
use crate::action::AddressOptions;
use crate::config::model::{
    Algorithm, AnnounceConfig, AnnounceGap, Authentication, BfdConfig, Bind, Command, Config, Debounce,
    Deleted, Destination, ElectionConfig, Family, FrontendConfig, GapGroup, GroupConfig, InstanceConfig,
    LinksConfig, LogFormat, LogTarget, NodeConfig, NotifyConfig, OldChecksum, Peer, Pipe, PoolConfig,
    Redispatch, RouterConfig, Scope, ServerConfig, StartDelay, Tracked, Tracker, TransportConfig, Version,
    VirtualAddress,
};
use crate::config::names::Kind;
use crate::id::{BfdId, CheckId, FrontendId, GroupId, InstanceId, PoolId, ServerId};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

/// Fills `config` with what `file` says.
pub(super) fn lower(desk: &mut Desk<'_>, file: &File, config: &mut Config) {
    if let Some(node) = &file.node {
        whole(desk, node, config);
    }
    let mut checks = BTreeMap::new();
    for named in &file.check {
        let id = CheckId(config.names.id(Kind::Check, named.name.get_ref()));
        if desk.once(&mut checks, &named.name, id) {
            let lowered = check::lower(desk, &named.run, None, id, named.name.get_ref(), &named.name.span());
            config.checks.extend(lowered.map(|check| (id, Arc::new(check))));
        }
    }
    for named in &file.watch {
        let id = CheckId(config.names.id(Kind::Check, named.name.get_ref()));
        if desk.once(&mut checks, &named.name, id) {
            let lowered = watch::lower(desk, named, id);
            config.checks.extend(lowered.map(|check| (id, Arc::new(check))));
        }
    }
    let sessions = self::sessions(desk, file, config);
    let mut routers = BTreeMap::new();
    for router in limited(desk, &file.virtual_router, Config::MAX_INSTANCES, |router| &router.name) {
        let id = InstanceId(config.names.id(Kind::Instance, router.name.get_ref()));
        if desk.once(&mut routers, &router.name, id) {
            let lowered = self::router(desk, router, id, (&checks, &sessions));
            config.instances.insert(id, Arc::new(lowered));
        }
    }
    super::routing::lower(desk, &file.routing, &routers, config);
    let mut groups = BTreeMap::new();
    for group in &file.group {
        let id = GroupId(config.names.id(Kind::Group, group.name.get_ref()));
        if desk.once(&mut groups, &group.name, id) {
            let members =
                group.members.iter().filter_map(|name| desk.find(&routers, name, "virtual router")).collect();
            let notify = group.notify.as_ref().map(notify).unwrap_or_default();
            let name = Arc::from(group.name.get_ref().as_str());
            config.groups.insert(id, Arc::new(GroupConfig { id, name, members, notify }));
        }
    }
    let mut pools = BTreeMap::new();
    let mut servers = 0;
    for pool in &file.pool {
        let id = PoolId(config.names.id(Kind::Pool, pool.name.get_ref()));
        servers += pool.server.len();
        if servers > Config::MAX_SERVERS {
            let message = format!("more than {} servers in all pools", Config::MAX_SERVERS);
            desk.error(codes::TOO_MANY, &pool.name.span(), message, None);
            break;
        }
        if desk.once(&mut pools, &pool.name, id) {
            self::pool(desk, pool, id, config);
        }
    }
    let mut frontends = BTreeMap::new();
    for frontend in &file.frontend {
        let id = FrontendId(config.names.id(Kind::Frontend, frontend.name.get_ref()));
        if desk.once(&mut frontends, &frontend.name, id) {
            let lowered = self::frontend(desk, frontend, id, &pools);
            config.frontends.insert(id, Arc::new(lowered));
        }
    }
}

/// What concerns the node as a whole.
fn whole(desk: &mut Desk<'_>, node: &file::Node, config: &mut Config) {
    let links = links(node);
    let grouped: usize = links.groups.iter().map(|group| group.interfaces.len()).sum();
    if links.debounce.len().max(grouped) > LinksConfig::MAX_INTERFACES {
        let message = format!("more than {} interfaces", LinksConfig::MAX_INTERFACES);
        desk.error(codes::TOO_MANY, &(0..0), message, None);
    }
    if node.pipe.len() > Pipe::MOST {
        let message = format!("more than {} pipes", Pipe::MOST);
        desk.error(codes::TOO_MANY, &(0..0), message, None);
    }
    config.node = self::node(node);
}

/// All BFD sessions; their ids by name.
fn sessions(desk: &mut Desk<'_>, file: &File, config: &mut Config) -> BTreeMap<String, BfdId> {
    let mut sessions = BTreeMap::new();
    for table in limited(desk, &file.bfd, BfdConfig::MAX_SESSIONS, |table| &table.name) {
        let id = BfdId(config.names.id(Kind::Bfd, table.name.get_ref()));
        if desk.once(&mut sessions, &table.name, id) {
            let lowered = bfd::lower(desk, table, id);
            let neighbor = lowered.as_ref().map(|session| session.to);
            if config.sessions.values().any(|other| Some(other.to) == neighbor) {
                let message = "another `bfd` has the same neighbor".into();
                desk.error(codes::DUPLICATE, &table.name.span(), message, None);
            }
            config.sessions.extend(lowered.map(|session| (id, Arc::new(session))));
        }
    }
    sessions
}

/// The first `most` of `all`; says so when there are more.
fn limited<'a, T>(
    desk: &mut Desk<'_>,
    all: &'a [T],
    most: usize,
    name: impl Fn(&T) -> &toml::Spanned<String>,
) -> &'a [T] {
    if let Some(one) = all.get(most) {
        desk.error(codes::TOO_MANY, &name(one).span(), format!("more than {most} of these"), None);
    }
    &all[..all.len().min(most)]
}

fn time(time: Option<Time>, default: Duration) -> Duration {
    time.map_or(default, |time| time.0)
}

fn node(node: &file::Node) -> NodeConfig {
    let own = NodeConfig::default();
    NodeConfig {
        router_id: node.router_id.clone(),
        lease: node.lease.unwrap_or(own.lease),
        start: StartDelay {
            daemon: time(node.start.as_ref().and_then(|start| start.delay), own.start.daemon),
            boot: time(node.start.as_ref().and_then(|start| start.delay_after_boot), own.start.boot),
        },
        links: links(node),
        log_unknown_vrids: node.log_unknown_vrids.unwrap_or(own.log_unknown_vrids),
        log: node.log.iter().map(log).collect(),
        max_connections: node.max_connections.unwrap_or(own.max_connections),
        record: node.record.clone(),
        spread_checks: node.spread_checks.map_or(own.spread_checks, |percent| percent.0),
        pipes: node.pipe.iter().take(Pipe::MOST).map(pipe).collect(),
        process: node.process.as_ref().map(process::lower).unwrap_or_default(),
        states_on_reload: node.pipe_states_on_reload.unwrap_or(own.states_on_reload),
    }
}

fn links(node: &file::Node) -> LinksConfig {
    let gap = |arp, na| AnnounceGap { arp: time(arp, Duration::ZERO), na: time(na, Duration::ZERO) };
    let group = |group: &file::AnnounceGroup| GapGroup {
        interfaces: group.interfaces.iter().map(|name| Arc::from(name.as_str())).collect(),
        gap: gap(group.gap, group.gap_ipv6),
    };
    let debounce = |link: &file::Debounce| {
        let delays = Debounce { down: time(link.down, Duration::ZERO), up: time(link.up, Duration::ZERO) };
        (Arc::from(link.interface.as_str()), delays)
    };
    let Some(links) = &node.links else { return LinksConfig::default() };
    LinksConfig {
        gap: gap(links.announce_gap, links.announce_gap_ipv6),
        groups: links.announce_group.iter().map(group).collect(),
        debounce: links.debounce.iter().map(debounce).collect(),
    }
}

fn pipe(pipe: &file::Pipe) -> Pipe {
    Pipe {
        path: Arc::from(pipe.path.as_str()),
        user: pipe.user.as_deref().map(Arc::from),
        reader: pipe.reader.as_ref().map(command),
    }
}

fn log(log: &file::Log) -> LogTarget {
    let format = match log.format {
        None | Some(file::LogFormat::Local) => LogFormat::Local,
        Some(file::LogFormat::Rfc3164) => LogFormat::Rfc3164,
        Some(file::LogFormat::Rfc5424) => LogFormat::Rfc5424,
        Some(file::LogFormat::Short) => LogFormat::Short,
        Some(file::LogFormat::Raw) => LogFormat::Raw,
    };
    LogTarget {
        to: log.to.0.clone(),
        format,
        facility: log.facility.0,
        level: log.level.map_or(7, |level| level.0),
        length: log.length.map_or(1024, |length| length.0),
    }
}

fn command(command: &file::Command) -> Command {
    Command { argv: command.argv.clone().into(), user: command.user.as_deref().map(Arc::from) }
}

fn notify(notify: &file::Notify) -> NotifyConfig {
    NotifyConfig {
        master: notify.active.as_ref().map(command),
        backup: notify.backup.as_ref().map(command),
        fault: notify.fault.as_ref().map(command),
        stop: notify.stop.as_ref().map(command),
        any: notify.any.as_ref().map(command),
        lower: notify.lower.as_ref().map(command),
        priorities: notify.priorities.unwrap_or(false),
        deleted: match &notify.deleted {
            Some(run) => Deleted::Run(command(run)),
            None if notify.tell_deleted == Some(true) => Deleted::Told,
            None => Deleted::Fault,
        },
    }
}

fn router(
    desk: &mut Desk<'_>,
    router: &file::VirtualRouter,
    id: InstanceId,
    known: Known<'_>,
) -> InstanceConfig {
    let v6 = match router.family {
        Some(family) => family == file::Family::Ipv6,
        None => router.address.first().is_some_and(|address| address.address.0.addr().is_ipv6()),
    };
    let version = match router.version {
        None | Some(VersionNumber(2)) if !v6 => Version::V2,
        None | Some(VersionNumber(_)) => Version::V3,
    };
    let at = router.name.span();
    if v6 && router.version == Some(VersionNumber(2)) {
        desk.error(codes::CONTRADICTION, &at, "IPv6 needs VRRP version 3".into(), None);
    }
    let advertised = router.address.iter().filter(|address| address.advertised.unwrap_or(true));
    if advertised.count() > Config::MAX_ADDRESSES {
        let message = format!("more than {} addresses do not fit an advertisement", Config::MAX_ADDRESSES);
        desk.error(codes::TOO_MANY, &at, message, None);
    }
    let interface: Arc<str> = Arc::from(router.interface.as_str());
    let authentication = match router.transport.as_ref().and_then(|transport| transport.password) {
        Some(password) => Authentication::Pass(password.0),
        None => Authentication::None,
    };
    if authentication != Authentication::None && version == Version::V3 {
        let help = Some("remove it: RFC 9568 has no authentication".into());
        desk.error(codes::CONTRADICTION, &at, "a password goes with VRRP version 2 only".into(), help);
    }
    InstanceConfig {
        id,
        name: Arc::from(router.name.get_ref().as_str()),
        addresses: router.address.iter().map(|address| self::address(address, &interface)).collect(),
        items: Vec::new(),
        election: election(desk, router, version),
        transport: transport(desk, router, v6),
        authentication,
        announce: announce(router.announce.as_ref()),
        trackers: router.track.iter().filter_map(|track| tracker(desk, track, known, &at)).collect(),
        notify: router.notify.as_ref().map(notify).unwrap_or_default(),
        router: RouterConfig {
            interface,
            vrid: router.vrid.0,
            version,
            family: if v6 { Family::V6 } else { Family::V4 },
        },
    }
}

pub(super) fn address(address: &file::Address, interface: &Arc<str>) -> VirtualAddress {
    VirtualAddress {
        address: address.address.0,
        interface: address.interface.as_deref().map_or_else(|| interface.clone(), Arc::from),
        advertised: address.advertised.unwrap_or(true),
        tracked: address.tracked.unwrap_or(true),
        how: Arc::new(AddressOptions {
            label: address.label.as_ref().map(|label| label.0.clone()),
            scope: Scope(address.scope.unwrap_or(0)),
            broadcast: address.broadcast,
            dad: address.duplicate_detection.unwrap_or(false),
            deprecated: address.deprecated.unwrap_or(false),
        }),
    }
}

fn election(desk: &mut Desk<'_>, router: &file::VirtualRouter, version: Version) -> ElectionConfig {
    let priority = router.priority.unwrap_or(AtLeastOne(100)).0;
    let table = router.election.as_ref();
    let flag =
        |pick: fn(&file::Election) -> Option<bool>, default: bool| table.and_then(pick).unwrap_or(default);
    let mut interval = Duration::from_secs(1);
    if let Some(given) = table.and_then(|table| table.advertisement_interval.as_ref()) {
        interval = given.get_ref().0;
        let nanos = interval.as_nanos();
        let (fits, help) = match version {
            Version::V2 => (
                nanos.is_multiple_of(1_000_000_000) && (1..=255).contains(&interval.as_secs()),
                "version 2 has whole seconds from 1s to 255s; use version 3 for less",
            ),
            Version::V3 => (
                nanos.is_multiple_of(10_000_000) && (10..=40_950).contains(&interval.as_millis()),
                "version 3 has multiples of 10ms from 10ms to 40950ms",
            ),
        };
        if !fits {
            let message = "the interval does not fit the protocol version".into();
            desk.error(codes::BAD_INTERVAL, &given.span(), message, Some(help.into()));
        }
    }
    ElectionConfig {
        priority,
        wish_master: flag(|table| table.start_active, priority == 255),
        interval,
        down_adverts: table.and_then(|table| table.down_advertisements).map_or(3, |number| number.0),
        preempt: flag(|table| table.preempt, true),
        preempt_delay: time(table.and_then(|table| table.preempt_delay), Duration::ZERO),
        lower_no_advert: !flag(|table| table.answer_lower, true),
        last_advert: flag(|table| table.last_advertisement, true),
        owner_ignores: flag(|table| table.owner_ignores, false),
        oversleep_priority: table.and_then(|table| table.oversleep_priority.as_ref()).map(|number| number.0),
        strict: flag(|table| table.strict, false),
    }
}

/// The multicast group of a family.
pub(super) fn group(v6: bool) -> IpAddr {
    if v6 {
        IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12))
    } else {
        IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18))
    }
}

fn transport(desk: &mut Desk<'_>, router: &file::VirtualRouter, v6: bool) -> TransportConfig {
    let table = router.transport.as_ref();
    let flag = |pick: fn(&file::Transport) -> Option<bool>| table.and_then(pick).unwrap_or(false);
    let at = router.name.span();
    let multicast = table.and_then(|table| table.multicast);
    let peers = table.and_then(|table| table.peer.as_ref());
    let source = table.and_then(|table| table.source);
    let all =
        multicast.iter().chain(&source).copied().chain(peers.into_iter().flatten().map(|peer| peer.address));
    for wrong in all.filter(|address| address.is_ipv6() != v6).take(1) {
        let message = format!("{wrong} is not of the family of the virtual router");
        desk.error(codes::CONTRADICTION, &at, message, None);
    }
    if multicast.is_some() && peers.is_some() {
        desk.error(codes::CONTRADICTION, &at, "`multicast` and `peer` do not go together".into(), None);
    }
    let peer = |peer: &file::Peer| Peer {
        address: peer.address,
        min_ttl: peer.min_hops.unwrap_or(0),
        max_ttl: peer.max_hops.unwrap_or(255),
    };
    TransportConfig {
        source,
        track_source: flag(|table| table.track_source),
        to: match peers {
            Some(peers) => Destination::Unicast(peers.iter().map(peer).collect()),
            None => Destination::Multicast(multicast.unwrap_or_else(|| group(v6))),
        },
        hops: table.and_then(|table| table.hops).unwrap_or(255),
        check_source: flag(|table| table.check_source),
        skip_address_check: flag(|table| table.skip_address_check),
        plain_checksum: flag(|table| table.plain_checksum),
        old_checksum: match table.and_then(|table| table.old_checksum) {
            None => OldChecksum::Detect,
            Some(true) => OldChecksum::Always,
            Some(false) => OldChecksum::Never,
        },
    }
}

/// What holds without a table: keepalived's blocks, and our own refresh of a minute.
pub(super) fn announce(table: Option<&file::Announce>) -> AnnounceConfig {
    let number = |pick: fn(&file::Announce) -> Option<u32>, default| table.and_then(pick).unwrap_or(default);
    let pause = |pick: fn(&file::Announce) -> Option<Time>, default| {
        time(table.and_then(pick), Duration::from_secs(default))
    };
    AnnounceConfig {
        repeat: number(|table| table.repeat, 5),
        delay: pause(|table| table.delay, 5),
        refresh: pause(|table| table.refresh, 60),
        refresh_repeat: number(|table| table.refresh_repeat, 1),
        lower_repeat: number(|table| table.lower_repeat, 5),
        lower_delay: pause(|table| table.lower_delay, 5),
        extra: pause(|table| table.extra, 0),
    }
}

/// Checks and sessions by name.
type Known<'a> = (&'a BTreeMap<String, CheckId>, &'a BTreeMap<String, BfdId>);

fn tracker(
    desk: &mut Desk<'_>,
    track: &file::Track,
    (checks, sessions): Known<'_>,
    at: &core::ops::Range<usize>,
) -> Option<Tracker> {
    let what = match (&track.interface, &track.check, &track.bfd) {
        (Some(interface), None, None) => Tracked::Interface(Arc::from(interface.as_str())),
        (None, Some(check), None) => Tracked::Check(desk.find(checks, check, "check")?),
        (None, None, Some(bfd)) => Tracked::Session(desk.find(sessions, bfd, "bfd")?),
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) | (None, None, None) => {
            let message = "each `track` names either an `interface`, a `check` or a `bfd`".into();
            desk.error(codes::CONTRADICTION, at, message, None);
            return None;
        }
    };
    Some(Tracker {
        what,
        weight: track.weight.map_or(0, |weight| weight.0),
        reverse: track.reverse.unwrap_or(false),
    })
}

fn pool(desk: &mut Desk<'_>, pool: &file::Pool, id: PoolId, config: &mut Config) {
    let name = pool.name.get_ref();
    let mut names = BTreeMap::new();
    let mut servers: Vec<ServerConfig> = Vec::new();
    for server in &pool.server {
        let full = format!("{name}/{}", server.name.get_ref());
        let server_id = ServerId(config.names.id(Kind::Server, &full));
        if !desk.once(&mut names, &server.name, server_id) {
            continue;
        }
        let table = server.check.as_ref().or(pool.check.as_ref()).filter(|_| server.checked.unwrap_or(true));
        let check = table.map(|table| {
            let id = CheckId(config.names.id(Kind::Check, &full));
            let lowered = check::lower(desk, table, Some(server.address), id, &full, &server.name.span());
            config.checks.extend(lowered.map(|check| (id, Arc::new(check))));
            id
        });
        servers.push(ServerConfig {
            id: server_id,
            name: Arc::from(server.name.get_ref().as_str()),
            address: server.address,
            weight: server.weight.map_or(1, |weight| weight.0),
            backup: server.backup.unwrap_or(false),
            disabled: server.disabled.unwrap_or(false),
            check,
            shutdown_when_down: server.close_when_down.unwrap_or(false),
        });
    }
    let redispatch = match pool.redispatch {
        None => Redispatch::Never,
        Some(0) => Redispatch::Last,
        Some(every) => Redispatch::Every(every),
    };
    let pool = PoolConfig {
        id,
        name: Arc::from(name.as_str()),
        algorithm: pool.balance.map_or(Algorithm::RoundRobin, |balance| balance.0),
        all_backups: pool.all_backups.unwrap_or(false),
        servers,
        retries: pool.retries.unwrap_or(3),
        redispatch,
        connect: pool.connect_timeout.map(|time| time.0),
        server: pool.server_timeout.map(|time| time.0),
        log: pool.log.iter().map(log).collect(),
        listen: pool.listen.unwrap_or(false),
    };
    config.pools.insert(id, Arc::new(pool));
}

fn frontend(
    desk: &mut Desk<'_>,
    frontend: &file::Frontend,
    id: FrontendId,
    pools: &BTreeMap<String, PoolId>,
) -> FrontendConfig {
    let bind = |bind: &file::Bind| Bind {
        at: bind.address,
        free: bind.free.unwrap_or(false),
        interface: bind.interface.clone(),
        both_families: bind.both_families.unwrap_or(false),
    };
    FrontendConfig {
        id,
        name: Arc::from(frontend.name.get_ref().as_str()),
        binds: frontend.bind.iter().map(bind).collect(),
        pool: frontend.pool.as_ref().and_then(|pool| desk.find(pools, pool, "pool")),
        client: frontend.client_timeout.map(|time| time.0),
        max_connections: frontend.max_connections.unwrap_or(0),
        tcplog: frontend.log_sessions.unwrap_or(true),
        dont_log_null: !frontend.log_empty.unwrap_or(true),
        log: frontend.log.iter().map(log).collect(),
    }
}
