//! Every keyword of keepalived is known where it belongs.

use standfast_core::config::keepalived::keywords;
use std::collections::BTreeSet;

#[test]
fn no_keyword_is_declared_twice_and_each_says_what_it_does() {
    let mut seen = BTreeSet::new();
    for (block, word, about) in keywords() {
        assert!(seen.insert((block, word)), "{word} twice in {block:?}");
        assert!(!about.is_empty(), "{word} in {block:?} says nothing");
    }
    assert!(seen.len() > 200, "{}", seen.len());
}

#[test]
fn the_keywords_of_releases_up_to_2_4_are_known() {
    let known: BTreeSet<(&str, &str)> =
        keywords().into_iter().map(|(block, word, _)| (block, word)).collect();
    for (block, words) in [
        (
            "global_defs",
            "dbus_no_interface_name iproute_etc_dir iproute_usr_dir json_dump_file json_version \
             set_supplementary_groups snmp_rs_stats_update_interval state_dump_file stats_dump_file \
             use_symlink_paths v3_checksum_as_v2 vrrp_delay_after_boot vrrp_owner_ignore_adverts vrrp_min_garp \
             vrrp_iptables lvs_sync_daemon max_auto_priority checker_rlimit_rttime notify_fifo router_id",
        ),
        (
            "vrrp_instance",
            "auth_hmac no_virtual_ipaddress owner_ignore_adverts timer_expired_backup thread_timer_expired \
             v3_checksum_as_v2 use_vmac vmac_xmit_base use_ipvlan promote_secondaries track_bfd track_process \
             notify_master_rx_lower_pri garp_extra_if old_unicast_checksum unicast_fault_no_peer vrf",
        ),
        ("vrrp_script", "script interval timeout weight rise fall user init_fail"),
        ("vrrp_sync_group", "group track_file sync_group_tracking_weight global_tracking notify_stop"),
        (
            "",
            "static_routes track_group garp_group bfd_instance interface_up_down_delays net_namespace virtual_server",
        ),
    ] {
        for word in words.split_whitespace() {
            assert!(known.contains(&(block, word)), "{word} in {block:?}");
        }
    }
}
