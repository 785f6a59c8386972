//! `keepalived.json`: a list of `{data, stats}`, one for each virtual router; in version 2 it stands in an object,
//! beside the tracked processes.

use super::data::{is_implied, is_own, is_process, is_script};
use super::words::{address, argv, decimal, number, seconds, tracked_interface};
use super::{Snapshot, stats};
use serde_json::Value;
use standfast_core::config::model::{
    Authentication, CheckConfig, Command, Deleted, InstanceConfig, Probe, Tracked, Version,
};
use standfast_core::vrrp::RouterStatus;

/// What stands in the place of a password. keepalived writes it in clear text up to 2.2.
pub(super) const STARS: &str = "********";

/// An object whose keys keep their order; values are JSON already.
#[derive(Default)]
struct Object(Vec<(&'static str, String)>);

impl Object {
    fn put(&mut self, key: &'static str, value: impl std::fmt::Display) {
        self.0.push((key, value.to_string()));
    }

    fn text(&mut self, key: &'static str, value: &str) {
        self.put(key, Value::from(value));
    }

    /// A list of texts, when there are any.
    fn texts(&mut self, key: &'static str, values: Vec<String>) {
        if !values.is_empty() {
            self.put(key, Value::from(values));
        }
    }

    fn done(self) -> String {
        let members = self.0.iter().map(|(key, value)| format!("\"{key}\":{value}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

/// The text of the file.
pub(super) fn text(of: &Snapshot) -> String {
    let list = of.routers().map(|(config, router)| {
        let mut counters = Object::default();
        for (name, count) in stats::named(&router.counters) {
            counters.put(name, count);
        }
        format!("{{\"data\":{},\"stats\":{}}}", data(of, config, router), counters.done())
    });
    let list = format!("[{}]", list.collect::<Vec<_>>().join(","));
    if !of.config.node.process.dumps.json_object {
        return list;
    }
    let processes = of.config.checks.values().filter(|check| is_process(&check.probe));
    let processes = processes.map(|check| process(of, check)).collect::<Vec<_>>().join(",");
    format!("{{\"vrrp\":{list},\"track_process\":[{processes}]}}")
}

fn process(of: &Snapshot, check: &CheckConfig) -> String {
    let up = of.status.checks.iter().any(|status| status.id == check.id && status.up == Some(true));
    let mut object = Object::default();
    object.text("name", &check.name);
    object.put("have_quorum", up);
    object.done()
}

fn data(of: &Snapshot, config: &InstanceConfig, router: &RouterStatus) -> String {
    let mut object = Object::default();
    object.text("iname", &config.name);
    let own = config.trackers.iter().any(|tracker| is_own(config, tracker));
    object.put("dont_track_primary", u8::from(!own));
    object.put("skip_check_adv_addr", u8::from(config.transport.skip_address_check));
    object.put("strict_mode", u8::from(config.election.strict));
    object.text("vmac_ifname", "");
    object.text("ifp_ifname", &config.router.interface);
    object.put("master_priority", router.master.map_or(0, |master| master.priority));
    object.put("last_transition", seconds(of.wall(router.since)));
    announce(&mut object, config);
    object.put("vrid", config.router.vrid);
    object.put("base_priority", router.priority.base);
    object.put("effective_priority", router.priority.effective);
    object.put("vipset", router.addresses.iter().any(|address| address.held));
    object.put("promote_secondaries", false);
    election(&mut object, config, router);
    notify(&mut object, config);
    let addresses = |advertised: bool| {
        let all = config.addresses.iter().zip(router.addresses.iter());
        let some = all.filter(|(spec, _)| spec.advertised == advertised);
        some.map(|(spec, status)| address(spec, Some(status))).collect()
    };
    object.texts("vips", addresses(true));
    object.texts("evips", addresses(false));
    tracked(&mut object, of, config);
    let (kind, key) = match (&config.authentication, config.router.version) {
        (Authentication::Pass(_), Version::V2) => (1, Some(STARS)),
        (Authentication::Pass(_) | Authentication::None, _) => (0, None),
    };
    object.put("auth_type", kind);
    if let Some(key) = key {
        object.text("auth_data", key);
    }
    object.done()
}

fn announce(object: &mut Object, config: &InstanceConfig) {
    let announce = &config.announce;
    object.put("garp_delay", announce.delay.as_secs());
    object.put("garp_refresh", announce.refresh.as_secs());
    object.put("garp_rep", announce.repeat);
    object.put("garp_refresh_rep", announce.refresh_repeat);
    object.put("garp_lower_prio_delay", announce.lower_delay.as_secs());
    object.put("garp_lower_prio_rep", announce.lower_repeat);
    object.put("lower_prio_no_advert", u8::from(config.election.lower_no_advert));
    object.put("higher_prio_send_advert", u8::from(config.election.last_advert));
}

fn election(object: &mut Object, config: &InstanceConfig, router: &RouterStatus) {
    let election = &config.election;
    object.put("adver_int", decimal(election.interval));
    object.put("master_adver_int", decimal(router.pace.interval));
    object.put("accept", u8::from(!election.strict));
    object.put("nopreempt", !election.preempt);
    object.put("preempt_delay", decimal(election.preempt_delay));
    object.put("state", number(router.role));
    object.put("wantstate", number(router.role));
    object.put("version", if config.router.version == Version::V2 { 2 } else { 3 });
    object.put("smtp_alert", false);
    object.put("notify_deleted", config.notify.deleted != Deleted::Fault);
}

fn notify(object: &mut Object, config: &InstanceConfig) {
    let notify = &config.notify;
    let hooks: [(&'static str, &Option<Command>); 6] = [
        ("script_backup", &notify.backup),
        ("script_master", &notify.master),
        ("script_fault", &notify.fault),
        ("script_stop", &notify.stop),
        ("script", &notify.any),
        ("script_master_rx_lower_pri", &notify.lower),
    ];
    for (key, hook) in hooks {
        if let Some(hook) = hook {
            object.text(key, &argv(&hook.argv));
        }
    }
}

fn tracked(object: &mut Object, of: &Snapshot, config: &InstanceConfig) {
    let others = || config.trackers.iter().filter(|tracker| !is_implied(config, tracker));
    object.texts("track_ifp", others().filter_map(tracked_interface).map(str::to_owned).collect());
    let checks = |wanted: fn(&Probe) -> bool| {
        let check = move |id| of.config.checks.get(id).filter(|check: &&_| wanted(&check.probe));
        others().filter_map(move |tracker| match &tracker.what {
            Tracked::Check(id) => check(id),
            Tracked::Interface(_) | Tracked::Session(_) => None,
        })
    };
    let command = |check: &CheckConfig| match &*check.probe {
        Probe::Script { command, .. } => Some(argv(&command.argv)),
        Probe::Tcp { .. }
        | Probe::SslHello { .. }
        | Probe::Http(_)
        | Probe::Watch(_)
        | Probe::Talk(_)
        | Probe::Tls { .. } => None,
    };
    object.texts("track_script", checks(is_script).filter_map(|check| command(check)).collect());
    object.texts("track_process", checks(is_process).map(|check| check.name.to_string()).collect());
}
