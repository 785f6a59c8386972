//! The check that comes of options and rules, as haproxy 2.6 was seen to do it.

use standfast_core::config::finding::Findings;
use standfast_core::config::haproxy;
use standfast_core::config::load::Options;
use standfast_core::config::model::{CheckConfig, Config, Expect, HttpProbe, Probe, TlsProbe};
use standfast_core::config::source::MemorySource;
use std::time::Duration;

/// The check of the only server; `preset` is added to the defaults, `own` to the section.
fn check(preset: &str, own: &str, server: &str) -> CheckConfig {
    let text = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n{preset}\nlisten l\n bind 192.0.2.1:81\n{own}\n server s 192.0.2.9:8000 check {server}\n"
    );
    let mut source = MemorySource::with("haproxy.cfg", text.as_bytes());
    source.files.insert("/ca/x.pem".into(), b"-----BEGIN CERTIFICATE-----\n".to_vec());
    let (mut config, mut findings) = (Config::default(), Findings::default());
    haproxy::read("haproxy.cfg", &source, &mut config, &mut findings, &Options::default());
    let said: Vec<String> = findings.list().iter().map(ToString::to_string).collect();
    assert_eq!(findings.errors(), 0, "{}", said.join("\n"));
    let check = config.checks.values().next().expect("a check");
    (**check).clone()
}

fn http(preset: &str, own: &str, server: &str) -> HttpProbe {
    let check = check(preset, own, server);
    let Probe::Http(http) = &*check.probe else { panic!("{:?}", check.probe) };
    http.clone()
}

/// Method, path and version.
fn asked(preset: &str, own: &str) -> String {
    let http = http(preset, own, "");
    format!("{} {} {}", http.method, http.uri, http.version)
}

#[test]
fn the_request_comes_from_rule_and_option_and_defaults() {
    for (preset, own, request) in [
        ("", "option httpchk", "OPTIONS / HTTP/1.0"),
        ("", "option httpchk /x", "OPTIONS /x HTTP/1.0"),
        ("", "option httpchk GET /x HTTP/1.1", "GET /x HTTP/1.1"),
        ("", "option httpchk GET /a\n option httpchk", "OPTIONS / HTTP/1.0"),
        ("option httpchk GET /a", "", "GET /a HTTP/1.0"),
        ("option httpchk GET /a", "option httpchk", "OPTIONS / HTTP/1.0"),
        ("option httpchk GET /a", "http-check send uri /b", "OPTIONS /b HTTP/1.0"),
        ("", "http-check send uri /b\n option httpchk", "OPTIONS /b HTTP/1.0"),
        ("", "http-check send meth PUT uri /b\n option httpchk GET /a", "GET /a HTTP/1.0"),
        ("", "option httpchk GET /a\n http-check send meth PUT", "PUT /a HTTP/1.0"),
        ("", "option ssl-hello-chk\n option httpchk GET /a", "GET /a HTTP/1.0"),
    ] {
        assert_eq!(asked(preset, own), request, "{preset} / {own}");
    }
}

#[test]
fn an_own_option_or_rule_drops_the_inherited_rules_as_a_whole() {
    let preset = "option httpchk GET /a\n http-check expect status 404";
    assert_eq!(http(preset, "option httpchk", "").expect, Expect::Default);
    assert_eq!(http(preset, "http-check send uri /b", "").expect, Expect::Default);
    assert_eq!(http(preset, "", "").expect, Expect::Status { ranges: vec![(404, 404)], negated: false });
}

#[test]
fn headers_of_a_rule_replace_those_behind_the_version() {
    let hidden = "option httpchk GET /a HTTP/1.1\\r\\nHost:\\ q";
    assert_eq!(http("", hidden, "").headers, [("host".into(), "q".into())]);
    let both = http("", &format!("{hidden}\n http-check send hdr Foo Bar body abc"), "");
    assert_eq!((both.headers, both.body.as_str()), (vec![("foo".into(), "Bar".into())], "abc"));
}

#[test]
fn the_connect_has_its_own_limit_and_the_rest_has_timeout_check() {
    let times = |preset: &str, server: &str| {
        let check = check(preset, "", server);
        let Probe::Tcp { connect, .. } = &*check.probe else { panic!("{:?}", check.probe) };
        (connect.as_millis(), check.schedule.timeout.as_millis())
    };
    assert_eq!(times("", ""), (2000, 2000));
    assert_eq!(times("", "inter 500ms"), (500, 500));
    assert_eq!(times(" timeout check 10s", ""), (2000, 12_000));
    assert_eq!(times(" timeout check 10s", "inter 8s"), (5000, 15_000));
    assert_eq!(times(" timeout check 1s\n timeout connect 0", "inter 8s"), (8000, 9000));
}

#[test]
fn pace_and_target_follow_the_server_line() {
    let one = check(
        "",
        "default-server rise 5 inter 3s\n default-server fall 7",
        "fastinter 1s downinter 9s port 9 addr 192.0.2.8",
    );
    assert_eq!((one.rise, one.fall), (5, 7));
    let schedule = &one.schedule;
    assert_eq!(
        (schedule.interval, schedule.fast, schedule.down),
        (Duration::from_secs(3), Duration::from_secs(1), Duration::from_secs(9))
    );
    assert!(
        matches!(&*one.probe, Probe::Tcp { to, .. } if to.to_string() == "192.0.2.8:9"),
        "{:?}",
        one.probe
    );
    let rule = check("", "option tcp-check\n tcp-check connect port 7 ssl", "verify none check-sni a");
    let Probe::Tls { to, tls, .. } = &*rule.probe else { panic!("{:?}", rule.probe) };
    assert_eq!((to.port(), tls.verify, &tls.name), (7, false, &None));
}

#[test]
fn tls_of_checks_comes_from_the_server_or_from_the_rule() {
    let from_server =
        http("", "option httpchk", "check-ssl verify none check-sni a.example check-alpn h2,http/1.1");
    let alpn = vec!["h2".to_string(), "http/1.1".to_string()];
    assert_eq!(
        from_server.tls,
        Some(TlsProbe { verify: false, roots: None, name: Some("a.example".into()), alpn })
    );
    // A `connect` rule stands for itself: without `ssl` or `default` it is plain.
    assert_eq!(http("", "option httpchk\n http-check connect", "check-ssl verify none").tls, None);
    assert!(http("", "option httpchk\n http-check connect default", "check-ssl verify none").tls.is_some());
    let verified =
        http("", "option httpchk\n http-check connect ssl sni b", "ca-file /ca/x.pem").tls.expect("TLS");
    assert!(verified.verify && verified.roots.is_some());
    assert_eq!(verified.name.as_deref(), Some("b"));
    let system = http("", "option httpchk", "check-ssl ca-file @system-ca").tls.expect("TLS");
    assert!(system.verify && system.roots.is_none());
}

#[test]
fn a_disabled_check_line_leaves_the_server_unchecked() {
    let text = "defaults\n timeout connect 5s\n timeout client 1h\n timeout server 1h\nlisten l\n bind :81\n default-server check\n server s 192.0.2.9:8000 no-check\n server t 192.0.2.9:8001 weight 0 backup disabled on-marked-down shutdown-sessions\n";
    let source = MemorySource::with("haproxy.cfg", text.as_bytes());
    let (mut config, mut findings) = (Config::default(), Findings::default());
    haproxy::read("haproxy.cfg", &source, &mut config, &mut findings, &Options::default());
    assert_eq!(findings.errors(), 0);
    let pool = config.pools.values().next().expect("a pool");
    assert!(pool.listen && pool.servers[0].check.is_none() && pool.servers[1].check.is_some());
    let other = &pool.servers[1];
    assert_eq!((other.weight, other.backup, other.disabled, other.shutdown_when_down), (0, true, true, true));
}
