//! The guide's two haproxy.cfg files mean what haproxy 2.6 makes of them.

use standfast_core::config::finding::Findings;
use standfast_core::config::haproxy;
use standfast_core::config::load::Options;
use standfast_core::config::model::{
    Algorithm, Config, Counter, Expect, LogFormat, LogTarget, LogTo, Probe, Redispatch, TlsProbe,
};
use standfast_core::config::source::MemorySource;
use std::path::Path;
use std::time::Duration;

fn read(kind: &str) -> (Config, Findings) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guide").join(kind).join("cp1/haproxy.cfg");
    let bytes = std::fs::read(path).expect("the guide's file is in the repository");
    let source = MemorySource::with("haproxy.cfg", &bytes);
    let (mut config, mut findings) = (Config::default(), Findings::default());
    haproxy::read("haproxy.cfg", &source, &mut config, &mut findings, &Options::default());
    (config, findings)
}

fn codes(findings: &Findings) -> Vec<(u16, u32)> {
    findings.list().iter().map(|finding| (finding.code.0, finding.span.line)).collect()
}

fn target(to: LogTo, format: LogFormat, facility: u8, level: u8) -> LogTarget {
    LogTarget { to, format, facility, level, length: 1024 }
}

#[test]
fn both_files_listen_and_balance_as_written() {
    for (kind, backend, client) in [("classic", "apiserver", 20), ("current", "apiserverbackend", 35)] {
        let (config, findings) = read(kind);
        assert_eq!(findings.errors(), 0, "{kind}");
        let frontend = config.frontends.values().next().expect("a frontend");
        let pool = config.pools.values().next().expect("a pool");
        assert_eq!((config.frontends.len(), config.pools.len(), config.checks.len()), (1, 1, 3));
        assert_eq!(frontend.name.as_ref(), "apiserver");
        assert_eq!(
            frontend.binds.iter().map(|bind| bind.at.to_string()).collect::<Vec<_>>(),
            ["0.0.0.0:8443"]
        );
        assert_eq!(frontend.client, Some(Duration::from_secs(client)));
        assert_eq!((frontend.pool, frontend.tcplog, frontend.dont_log_null), (Some(pool.id), true, true));
        assert_eq!(
            (pool.name.as_ref(), pool.algorithm, pool.listen),
            (backend, Algorithm::RoundRobin, false)
        );
        assert_eq!((pool.retries, pool.redispatch), (1, Redispatch::Last));
        assert_eq!(
            (pool.connect, pool.server),
            (Some(Duration::from_secs(5)), Some(Duration::from_secs(client)))
        );
        let servers: Vec<String> = pool.servers.iter().map(|s| format!("{} {}", s.name, s.address)).collect();
        assert_eq!(servers, ["cp1 192.0.2.11:6443", "cp2 192.0.2.12:6443", "cp3 192.0.2.13:6443"]);
        assert!(pool.servers.iter().all(|s| s.weight == 1 && !s.backup && !s.disabled && s.check.is_some()));
        for check in config.checks.values() {
            assert_eq!((check.rise, check.fall, check.counter), (2, 3, Counter::Server));
            assert_eq!(
                (check.schedule.interval, check.schedule.fast),
                (Duration::from_secs(2), Duration::from_secs(2))
            );
            // min(inter, timeout connect) to connect, then timeout check.
            assert_eq!(check.schedule.timeout, Duration::from_secs(12));
        }
    }
}

#[test]
fn the_classic_file_checks_by_an_old_tls_hello_and_says_that_healthz_is_never_asked() {
    let (config, findings) = read("classic");
    for (check, last) in config.checks.values().zip([11, 12, 13]) {
        let to = format!("192.0.2.{last}:6443").parse().expect("an address");
        assert_eq!(*check.probe, Probe::SslHello { to, connect: Duration::from_secs(2) });
    }
    let log = [
        target(LogTo::Unix("/dev/log".into()), LogFormat::Local, 16, 7),
        target(LogTo::Unix("/dev/log".into()), LogFormat::Local, 17, 5),
    ];
    assert_eq!(config.node.log, log);
    assert!(config.frontends.values().all(|frontend| frontend.log == log));
    let lost =
        findings.list().iter().find(|finding| finding.code.0 == 2050).expect("the lost option is told");
    assert_eq!(lost.span.line, 44);
    assert!(lost.help.as_ref().is_some_and(|help| help.contains("/healthz is never asked")));
    assert_eq!(codes(&findings), [(2061, 26), (2045, 34), (2037, 43), (2045, 43), (2050, 44)]);
}

#[test]
fn the_current_file_asks_healthz_over_tls_without_verifying() {
    let (config, findings) = read("current");
    for check in config.checks.values() {
        let Probe::Http(probe) = &*check.probe else { panic!("{:?}", check.probe) };
        assert_eq!(
            (probe.method.as_str(), probe.uri.as_str(), probe.version.as_str()),
            ("GET", "/healthz", "HTTP/1.0")
        );
        assert_eq!(probe.tls, Some(TlsProbe { verify: false, roots: None, name: None, alpn: Vec::new() }));
        assert_eq!(probe.expect, Expect::Status { ranges: vec![(200, 200)], negated: false });
        assert!(probe.headers.is_empty() && probe.body.is_empty());
        assert_eq!(probe.connect, Duration::from_secs(2));
    }
    assert_eq!(config.node.log, [target(LogTo::Stdout, LogFormat::Raw, 16, 7)]);
    assert_eq!(codes(&findings), [(2061, 25), (2045, 33), (2045, 42), (2062, 46)]);
}
