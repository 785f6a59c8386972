//! From the model to the file's tables; what has its default is left out.

use super::bfd;
use super::check::{raise, unless};
use super::file::{self, File};
use super::process;
use super::read;
use super::value::{
    AtLeastOne, Balance, Facility, Hundred, Label, Level, LineLength, LogTo, Net, Password, Percent, Time,
    TrackWeight, VersionNumber, Weight,
};
use super::watch;
use crate::config::model::{
    Algorithm, AnnounceConfig, Authentication, Bind, Command, Config, Debounce, Deleted, Destination,
    ElectionConfig, Family, FrontendConfig, GapGroup, InstanceConfig, LogFormat, LogTarget, NodeConfig,
    NotifyConfig, OldChecksum, Pipe, PoolConfig, Probe, Redispatch, ServerConfig, Tracked, Tracker, Version,
    VirtualAddress,
};
use crate::id::CheckId;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use toml::Spanned;

/// The tables of `config`.
pub(super) fn file(config: &Config) -> File {
    let of_servers: BTreeSet<CheckId> =
        config.pools.values().flat_map(|pool| &pool.servers).filter_map(|server| server.check).collect();
    let checks = config.checks.values().filter(|check| !of_servers.contains(&check.id));
    File {
        node: (config.node != NodeConfig::default()).then(|| node(&config.node)),
        watch: config.checks.values().filter_map(|check| watch::raise(check)).collect(),
        bfd: config.sessions.values().map(|session| bfd::raise(session)).collect(),
        check: checks
            .filter(|check| !matches!(*check.probe, Probe::Watch(_)))
            .map(|check| file::NamedCheck { name: named(&check.name), run: raise(check, None) })
            .collect(),
        virtual_router: config.instances.values().map(|instance| router(config, instance)).collect(),
        group: config
            .groups
            .values()
            .map(|group| file::Group {
                name: named(&group.name),
                members: group
                    .members
                    .iter()
                    .filter_map(|id| config.instances.get(id))
                    .map(|member| named(&member.name))
                    .collect(),
                notify: notify(&group.notify),
            })
            .collect(),
        routing: super::routing::raise(config),
        pool: config.pools.values().map(|pool| self::pool(config, pool)).collect(),
        frontend: config.frontends.values().map(|frontend| self::frontend(config, frontend)).collect(),
    }
}

pub(super) fn named(name: &str) -> Spanned<String> {
    Spanned::new(0..0, name.to_string())
}

/// `Some(true)` or nothing.
fn yes(value: bool) -> Option<bool> {
    unless(value, false)
}

fn time(value: Duration, default: Duration) -> Option<Time> {
    unless(value, default).map(Time)
}

fn node(node: &NodeConfig) -> file::Node {
    let own = NodeConfig::default();
    file::Node {
        router_id: node.router_id.clone(),
        lease: unless(node.lease, own.lease),
        start: (node.start != own.start).then(|| file::Start {
            delay: time(node.start.daemon, own.start.daemon),
            delay_after_boot: time(node.start.boot, own.start.boot),
        }),
        log_unknown_vrids: unless(node.log_unknown_vrids, own.log_unknown_vrids),
        max_connections: unless(node.max_connections, own.max_connections),
        record: node.record.clone(),
        spread_checks: unless(node.spread_checks, own.spread_checks).map(Percent),
        log: node.log.iter().map(log).collect(),
        pipe_states_on_reload: yes(node.states_on_reload),
        process: process::raise(&node.process),
        pipe: node.pipes.iter().map(pipe).collect(),
        links: (node.links != own.links).then(|| file::Links {
            announce_gap: time(node.links.gap.arp, Duration::ZERO),
            announce_gap_ipv6: time(node.links.gap.na, Duration::ZERO),
            announce_group: node.links.groups.iter().map(announce_group).collect(),
            debounce: node.links.debounce.iter().map(|(name, delays)| debounce(name, delays)).collect(),
        }),
    }
}

fn announce_group(group: &GapGroup) -> file::AnnounceGroup {
    file::AnnounceGroup {
        interfaces: group.interfaces.iter().map(ToString::to_string).collect(),
        gap: time(group.gap.arp, Duration::ZERO),
        gap_ipv6: time(group.gap.na, Duration::ZERO),
    }
}

fn debounce(name: &str, delays: &Debounce) -> file::Debounce {
    file::Debounce {
        interface: name.to_string(),
        down: time(delays.down, Duration::ZERO),
        up: time(delays.up, Duration::ZERO),
    }
}

fn pipe(pipe: &Pipe) -> file::Pipe {
    file::Pipe {
        path: pipe.path.to_string(),
        user: pipe.user.as_deref().map(String::from),
        reader: pipe.reader.as_ref().map(command),
    }
}

fn log(log: &LogTarget) -> file::Log {
    let format = match log.format {
        LogFormat::Local => None,
        LogFormat::Rfc3164 => Some(file::LogFormat::Rfc3164),
        LogFormat::Rfc5424 => Some(file::LogFormat::Rfc5424),
        LogFormat::Short => Some(file::LogFormat::Short),
        LogFormat::Raw => Some(file::LogFormat::Raw),
    };
    file::Log {
        to: LogTo(log.to.clone()),
        facility: Facility(log.facility),
        level: unless(log.level, 7).map(Level),
        format,
        length: unless(log.length, 1024).map(LineLength),
    }
}

fn command(command: &Command) -> file::Command {
    file::Command { argv: command.argv.to_vec(), user: command.user.as_deref().map(String::from) }
}

fn notify(notify: &NotifyConfig) -> Option<file::Notify> {
    (*notify != NotifyConfig::default()).then(|| file::Notify {
        active: notify.master.as_ref().map(command),
        backup: notify.backup.as_ref().map(command),
        fault: notify.fault.as_ref().map(command),
        stop: notify.stop.as_ref().map(command),
        any: notify.any.as_ref().map(command),
        lower: notify.lower.as_ref().map(command),
        priorities: yes(notify.priorities),
        tell_deleted: yes(notify.deleted == Deleted::Told),
        deleted: match &notify.deleted {
            Deleted::Run(run) => Some(command(run)),
            Deleted::Fault | Deleted::Told => None,
        },
    })
}

fn router(config: &Config, instance: &InstanceConfig) -> file::VirtualRouter {
    let v6 = instance.router.family == Family::V6;
    file::VirtualRouter {
        name: named(&instance.name),
        interface: instance.router.interface.to_string(),
        vrid: AtLeastOne(instance.router.vrid),
        version: Some(VersionNumber(match instance.router.version {
            Version::V2 => 2,
            Version::V3 => 3,
        })),
        family: Some(if v6 { file::Family::Ipv6 } else { file::Family::Ipv4 }),
        priority: Some(AtLeastOne(instance.election.priority)),
        address: instance.addresses.iter().map(|a| address(a, &instance.router.interface)).collect(),
        election: election(&instance.election),
        transport: transport(instance, v6),
        announce: announce(&instance.announce),
        track: instance.trackers.iter().filter_map(|tracker| self::tracker(config, tracker)).collect(),
        notify: notify(&instance.notify),
    }
}

pub(super) fn address(address: &VirtualAddress, interface: &str) -> file::Address {
    let how = &address.how;
    file::Address {
        address: Net(address.address),
        interface: unless(&*address.interface, interface).map(String::from),
        advertised: unless(address.advertised, true),
        tracked: unless(address.tracked, true),
        label: how.label.clone().map(Label),
        scope: unless(how.scope.0, 0),
        broadcast: how.broadcast,
        duplicate_detection: yes(how.dad),
        deprecated: yes(how.deprecated),
    }
}

fn election(election: &ElectionConfig) -> Option<file::Election> {
    Some(file::Election {
        advertisement_interval: Some(Spanned::new(0..0, Time(election.interval))),
        down_advertisements: unless(election.down_adverts, 3).map(Hundred),
        preempt: unless(election.preempt, true),
        preempt_delay: time(election.preempt_delay, Duration::ZERO),
        start_active: unless(election.wish_master, election.priority == 255),
        answer_lower: unless(!election.lower_no_advert, true),
        last_advertisement: unless(election.last_advert, true),
        owner_ignores: yes(election.owner_ignores),
        oversleep_priority: election.oversleep_priority.map(AtLeastOne),
        strict: yes(election.strict),
    })
}

fn transport(instance: &InstanceConfig, v6: bool) -> Option<file::Transport> {
    let transport = &instance.transport;
    let (multicast, peer) = match &transport.to {
        Destination::Multicast(group) => (unless(*group, read::group(v6)), None),
        Destination::Unicast(peers) => {
            let peer = |peer: &crate::config::model::Peer| file::Peer {
                address: peer.address,
                min_hops: unless(peer.min_ttl, 0),
                max_hops: unless(peer.max_ttl, 255),
            };
            (None, Some(peers.iter().map(peer).collect()))
        }
    };
    let table = file::Transport {
        source: transport.source,
        track_source: yes(transport.track_source),
        multicast,
        hops: unless(transport.hops, 255),
        check_source: yes(transport.check_source),
        skip_address_check: yes(transport.skip_address_check),
        plain_checksum: yes(transport.plain_checksum),
        old_checksum: match transport.old_checksum {
            OldChecksum::Detect => None,
            OldChecksum::Never => Some(false),
            OldChecksum::Always => Some(true),
        },
        password: match &instance.authentication {
            Authentication::None => None,
            Authentication::Pass(bytes) => Some(Password(*bytes)),
        },
        peer,
    };
    let flags = [
        table.track_source,
        table.check_source,
        table.skip_address_check,
        table.plain_checksum,
        table.old_checksum,
    ];
    let rest = table.source.is_some() || table.multicast.is_some() || table.hops.is_some();
    (flags.iter().any(Option::is_some) || rest || table.password.is_some() || table.peer.is_some())
        .then_some(table)
}

fn announce(announce: &AnnounceConfig) -> Option<file::Announce> {
    let own = read::announce(None);
    (*announce != own).then(|| file::Announce {
        repeat: unless(announce.repeat, own.repeat),
        delay: time(announce.delay, own.delay),
        refresh: time(announce.refresh, own.refresh),
        refresh_repeat: unless(announce.refresh_repeat, own.refresh_repeat),
        lower_repeat: unless(announce.lower_repeat, own.lower_repeat),
        lower_delay: time(announce.lower_delay, own.lower_delay),
        extra: time(announce.extra, own.extra),
    })
}

fn tracker(config: &Config, tracker: &Tracker) -> Option<file::Track> {
    let (interface, check, bfd) = match &tracker.what {
        Tracked::Interface(name) => (Some(name.to_string()), None, None),
        Tracked::Check(id) => (None, Some(named(&config.checks.get(id)?.name)), None),
        Tracked::Session(id) => (None, None, Some(named(&config.sessions.get(id)?.name))),
    };
    let weight = unless(tracker.weight, 0).map(TrackWeight);
    Some(file::Track { interface, check, bfd, weight, reverse: yes(tracker.reverse) })
}

fn pool(config: &Config, pool: &PoolConfig) -> file::Pool {
    let table = |server: &ServerConfig| {
        let check = server.check.and_then(|id| config.checks.get(&id));
        check.map(|check| raise(check, Some(server.address)))
    };
    let common = pool.servers.iter().find_map(table);
    let shared = common.as_ref().map(text);
    let server = |server: &ServerConfig| {
        let own = table(server);
        file::Server {
            name: named(&server.name),
            address: server.address,
            weight: unless(server.weight, 1).map(Weight),
            backup: yes(server.backup),
            disabled: yes(server.disabled),
            checked: (own.is_none() && common.is_some()).then_some(false),
            close_when_down: yes(server.shutdown_when_down),
            check: own.filter(|own| Some(text(own)) != shared),
        }
    };
    file::Pool {
        name: named(&pool.name),
        balance: unless(pool.algorithm, Algorithm::RoundRobin).map(Balance),
        all_backups: yes(pool.all_backups),
        retries: unless(pool.retries, 3),
        redispatch: match pool.redispatch {
            Redispatch::Never => None,
            Redispatch::Last => Some(0),
            Redispatch::Every(every) => Some(every),
        },
        connect_timeout: pool.connect.map(Time),
        server_timeout: pool.server.map(Time),
        listen: yes(pool.listen),
        server: pool.servers.iter().map(server).collect(),
        log: pool.log.iter().map(log).collect(),
        check: common,
    }
}

/// A table's text, to compare two of them.
fn text(check: &file::Check) -> String {
    toml::to_string(check).unwrap_or_default()
}

fn frontend(config: &Config, frontend: &FrontendConfig) -> file::Frontend {
    let bind = |bind: &Bind| file::Bind {
        address: bind.at,
        free: yes(bind.free),
        interface: bind.interface.clone(),
        both_families: yes(bind.both_families),
    };
    let binds: Vec<file::Bind> = frontend.binds.iter().map(bind).collect();
    file::Frontend {
        name: named(&frontend.name),
        pool: frontend.pool.and_then(|id| config.pools.get(&id)).map(|pool| named(&pool.name)),
        client_timeout: frontend.client.map(Time),
        max_connections: unless(frontend.max_connections, 0),
        log_sessions: unless(frontend.tcplog, true),
        log_empty: unless(!frontend.dont_log_null, true),
        bind: binds,
        log: frontend.log.iter().map(log).collect(),
    }
}
