//! Every keyword of keepalived is known where it belongs, and the page of keywords says what the tables say.
//!
//! `UPDATE_GOLDEN=1` writes `docs/keepalived-keywords.md`.

use standfast_core::config::keepalived::{Done, Row, keywords};
use std::collections::BTreeSet;
use std::path::Path;

/// What stands above the tables.
const HEAD: &str = "\
# Keywords of keepalived.conf

Made from the parser's own tables. *Served*: it has its meaning, the default and range shown. *Note*: it is read, and
`check` says why it has no effect. *Refused*: leaving it out would change routing or election, so `check` calls it an error
with what would be wrong and what to write instead. A keyword that stands nowhere here is unknown, and an error.

";

/// The page as it should be.
fn page() -> String {
    let mut text = String::from(HEAD);
    let rows = keywords();
    let mut blocks: Vec<&str> = Vec::new();
    for row in &rows {
        if !blocks.contains(&row.block) {
            blocks.push(row.block);
        }
    }
    for block in blocks {
        let here = || rows.iter().filter(|row| row.block == block);
        let title = if block.is_empty() { "Outside of all blocks".to_owned() } else { format!("`{block}`") };
        text.push_str(&format!("## {title}\n\n"));
        if here().any(|row| row.done == Done::Served) {
            text.push_str("| served | default | range |\n| --- | --- | --- |\n");
        }
        text.extend(here().filter_map(served));
        let others: String = here().filter_map(other).collect();
        if !others.is_empty() {
            text.push_str(&format!("\n| not served | what is done, and why |\n| --- | --- |\n{others}"));
        }
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

fn served(row: &Row) -> Option<String> {
    (row.done == Done::Served).then(|| format!("| `{}` | {} | {} |\n", row.word, row.default, row.range))
}

fn other(row: &Row) -> Option<String> {
    match row.done {
        Done::Served => None,
        Done::Note(why) => Some(format!("| `{}` | note: {why} |\n", row.word)),
        Done::Refused(effect, instead) => {
            Some(format!("| `{}` | refused: {effect}; {instead} |\n", row.word))
        }
    }
}

#[test]
fn the_page_of_keywords_says_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/keepalived-keywords.md");
    let page = page();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(found == page, "docs/keepalived-keywords.md is old: UPDATE_GOLDEN=1 writes it anew");
}

#[test]
fn no_keyword_is_declared_twice_and_each_says_what_it_does() {
    let mut seen = BTreeSet::new();
    for Row { block, word, default, done, .. } in keywords() {
        assert!(seen.insert((block, word)), "{word} twice in {block:?}");
        match done {
            Done::Served => assert!(!default.is_empty(), "{word} in {block:?} has no default"),
            Done::Note(why) => assert!(!why.is_empty(), "{word} in {block:?} says nothing"),
            Done::Refused(effect, instead) => {
                assert!(!effect.is_empty() && !instead.is_empty(), "{word} in {block:?} says nothing");
            }
        }
    }
    assert!(seen.len() > 200, "{}", seen.len());
}

#[test]
fn the_keywords_of_releases_up_to_2_4_are_known() {
    let known: BTreeSet<(&str, &str)> = keywords().into_iter().map(|row| (row.block, row.word)).collect();
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
