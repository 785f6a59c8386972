//! FRR's zebra and vrrpd on one node, version 3.
//!
//! FRR keeps the address on a macvlan device of its own that is down while it is backup, so its state is asked by
//! `vtysh`.

use standfast::lab::host::{Host, View, words};
use standfast::lab::process::{Process, Result, Trouble, wait_until};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

/// How long a daemon of FRR may take to come up.
const UP: Duration = Duration::from_secs(10);

/// What differs between the families.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// As `show vrrp json` calls it.
    pub name: &'static str,
    /// The address.
    pub vip: &'static str,
    word: &'static str,
    device: &'static str,
    mac: &'static str,
    prefix: u8,
}

/// 192.0.2.100.
pub const V4: Family = Family {
    name: "v4",
    vip: "192.0.2.100",
    word: "ip",
    device: "vrrp4-2-1",
    mac: "00:00:5e:00:01:33",
    prefix: 24,
};

/// 2001:db8::100.
pub const V6: Family = Family {
    name: "v6",
    vip: "2001:db8::100",
    word: "ipv6",
    device: "vrrp6-2-1",
    mac: "00:00:5e:00:02:33",
    prefix: 64,
};

/// zebra and vrrpd of one node, with virtual router 51.
#[derive(Debug)]
pub struct Frr {
    family: Family,
    /// The daemon that decides.
    pub vrrpd: Process,
    _zebra: Process,
}

impl Frr {
    /// Starts both with these settings of `vrrp 51`, one per line: `priority 200`.
    ///
    /// # Errors
    /// When a daemon does not come up.
    pub fn start(host: &Host, family: Family, settings: &str) -> Result<Frr> {
        // FRR's daemons insist on a user of their own, who must be able to write here.
        std::fs::set_permissions(host.dir(), std::fs::Permissions::from_mode(0o777))?;
        let Family { vip, word, device, mac, prefix, .. } = family;
        let _ = host.ip(&format!("link del {device}"));
        host.ip(&format!("link add {device} link eth0 type macvlan mode bridge"))?;
        host.ip(&format!("link set {device} address {mac}"))?;
        host.sysctl(&[&format!("net.ipv6.conf.{device}.accept_dad=0")])?;
        host.ip(&format!("address add {vip}/{prefix} dev {device}"))?;
        host.ip(&format!("link set {device} up"))?;
        let _ = std::fs::remove_file(host.dir().join("zserv.api"));
        let zebra = Frr::daemon(host, "zebra", "")?;
        wait_until(UP, || host.dir().join("zserv.api").exists());
        let settings: String = settings.lines().map(|line| format!(" vrrp 51 {}\n", line.trim())).collect();
        let config = format!("interface eth0\n vrrp 51 version 3\n{settings} vrrp 51 {word} {vip}\n");
        let vrrpd = Frr::daemon(host, "vrrpd", &config)?;
        if wait_until(UP, || host.dir().join("vrrpd.vty").exists()) {
            Ok(Frr { family, vrrpd, _zebra: zebra })
        } else {
            Err(Trouble::new(format!("vrrpd does not come up\n{}", vrrpd.said())))
        }
    }

    fn daemon(host: &Host, name: &str, config: &str) -> Result<Process> {
        let dir = host.dir().display().to_string();
        std::fs::write(host.dir().join(format!("{name}.conf")), config)?;
        let _ = std::fs::remove_file(host.dir().join(format!("{name}.vty")));
        let line = format!(
            "/usr/lib/frr/{name} -u frr -g frr -P 0 -f {dir}/{name}.conf -i {dir}/{name}.pid \
             -z {dir}/zserv.api --vty_socket {dir} --log stdout"
        );
        host.spawn(name, &words(&line), &View::default())
    }

    /// `Master`, `Backup`, or all that vtysh says when it is neither.
    #[must_use]
    pub fn state(&self, host: &Host) -> String {
        let dir = host.dir().display().to_string();
        let shown = host.run(&["vtysh", "--vty_socket", &dir, "-d", "vrrpd", "-c", "show vrrp json"]);
        let shown = shown.unwrap_or_default();
        let json: serde_json::Value = serde_json::from_str(&shown).unwrap_or_default();
        let status = &json[0][self.family.name]["status"];
        status.as_str().map_or(shown.clone(), str::to_owned)
    }
}
