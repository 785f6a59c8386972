//! The lines at the end of `check`, for the guide's files and around them.

use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::source::MemorySource;
use standfast_core::config::summary::summary;
use std::path::Path;

fn guide(kind: &str, node: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guide").join(kind).join(node);
    let text = |name: &str| std::fs::read(folder.join(name)).expect("the guide's file");
    let mut source = MemorySource::with("keepalived.conf", &text("keepalived.conf"));
    source.files.insert("haproxy.cfg".into(), text("haproxy.cfg"));
    let inputs = [(Language::Keepalived, "keepalived.conf"), (Language::Haproxy, "haproxy.cfg")];
    let loaded = load(&inputs, &source, None, &Options::default());
    let text = summary(loaded.config.as_ref().expect("no errors"), &loaded.findings);
    text.lines().take(3).collect::<Vec<_>>().join("\n")
}

fn native(text: &str) -> String {
    let source = MemorySource::with("a.toml", text.as_bytes());
    let loaded = load(&[(Language::Native, "a.toml")], &source, None, &Options::default());
    let said: Vec<String> = loaded.findings.list().iter().map(ToString::to_string).collect();
    summary(loaded.config.as_ref().unwrap_or_else(|| panic!("{}", said.join("\n"))), &loaded.findings)
}

#[test]
fn the_guides_files_are_summed_up_in_figures() {
    assert_eq!(
        guide("current", "cp1"),
        "address 192.0.2.100 on eth0, VRID 51, priority 101, held by a 2 s kernel lease\n\
         takeover after power loss 3.61 s, after a failed check 33.6 s\n\
         3 servers of apiserverbackend checked by GET /healthz over TLS every 2 s"
    );
    assert_eq!(
        guide("classic", "cp2").lines().last(),
        Some("3 servers of apiserver checked by an old TLS hello (any answer counts) every 2 s")
    );
}

#[test]
fn short_intervals_have_a_lease_of_one_second_and_the_skew_of_version_3() {
    let text = native(
        "[[virtual_router]]\nname = \"a\"\ninterface = \"eth0\"\nvrid = 7\nversion = 3\npriority = 128\n\
         election = { advertisement_interval = \"100ms\" }\naddress = [{ address = \"192.0.2.100\" }]\n",
    );
    assert_eq!(
        text,
        "address 192.0.2.100 on eth0, VRID 7, priority 128, held by a 1 s kernel lease\n\
         takeover after power loss 0.35 s\n0 errors, 0 warnings, 0 notes\n"
    );
}

#[test]
fn after_a_failed_check_without_weight_only_the_skew_is_waited_for() {
    for (weight, said) in [(0, "5.61 s"), (-20, "8.61 s")] {
        let text = format!(
            "vrrp_script c {{\n script /bin/true\n interval 1\n fall 5\n}}\nvrrp_instance a {{\n interface eth0\n \
             virtual_router_id 7\n virtual_ipaddress {{\n 192.0.2.100\n }}\n track_script {{\n c weight {weight}\n }}\n}}\n"
        );
        let source = MemorySource::with("k", text.as_bytes());
        let loaded = load(&[(Language::Keepalived, "k")], &source, None, &Options::default());
        let text = summary(loaded.config.as_ref().expect("no errors"), &loaded.findings);
        let line = text.lines().nth(1).unwrap_or_default();
        assert_eq!(line, format!("takeover after power loss 3.61 s, after a failed check {said}"));
    }
}

#[test]
fn a_balancer_alone_and_servers_that_differ_are_named() {
    let text = native(
        "[[pool]]\nname = \"p\"\ncheck = { kind = \"tcp\" }\nserver = [{ name = \"a\", address = \"192.0.2.1:1\" }, \
         { name = \"b\", address = \"192.0.2.1:2\", checked = false }]\n[[pool]]\nname = \"q\"\n\
         server = [{ name = \"a\", address = \"192.0.2.1:1\" }]\n",
    );
    assert_eq!(
        text,
        "no virtual address\n2 servers of p, 1 of them checked by a TCP connect every 2 s\n\
         1 server of q not checked\n0 errors, 0 warnings, 0 notes\n"
    );
}
