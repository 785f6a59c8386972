//! What a valid advertisement does to a backup and to a master, row by row (reference 2.5, 2.6, 2.12).
#![allow(clippy::unwrap_used, reason = "a test")]

mod behaviour;

use behaviour::{Row, play};

/// Priority 100, alone in version 2: `Master_Down` is 3.609 s, the skew 0.609 s.
const BACKUP: &[Row] = &[
    (
        "a farewell leaves the skew only",
        "",
        "clear; +1; hear 0; +0.6; is BACKUP; +0.01; is MASTER; clear",
        "",
    ),
    (
        "a farewell counts with nopreempt too",
        "nopreempt",
        "hear 200; +1; hear 0; +0.6; is BACKUP; +0.01; is MASTER; clear",
        "",
    ),
    ("a farewell never puts a takeover off", "", "+3.5; hear 0; +0.1; hear 0; +0.01; is MASTER; clear", ""),
    ("a higher priority is accepted", "", "+2; hear 101; +3.6; is BACKUP; +0.01; is MASTER; clear", ""),
    (
        "the same priority is accepted, whatever the address",
        "",
        "+2; hear 100 from=192.0.2.1; +3.6; is BACKUP; +0.01; is MASTER; clear",
        "",
    ),
    (
        "a lower one is discarded: the running time out ends",
        "",
        "+2; hear 99; +1.6; is BACKUP; +0.01; is MASTER; clear",
        "",
    ),
    (
        "a lower one is accepted with nopreempt",
        "nopreempt",
        "+2; hear 99; +3.6; is BACKUP; +0.01; is MASTER; clear",
        "",
    ),
    (
        "a lower one is accepted during preempt_delay, whose end is a takeover",
        "preempt_delay 5",
        "+2; hear 99; +3; hear 99; +1.9; is BACKUP; +0.11; is MASTER; clear",
        "",
    ),
    (
        "an equal one cancels the delay",
        "preempt_delay 5",
        "hear 99; +3; hear 100; +2.5; is BACKUP; hear 100; +3.6; is BACKUP; +0.01; is MASTER; clear",
        "",
    ),
    (
        "a bad packet leaves the time out alone",
        "",
        "+2; hear 200 ttl=1; +1.6; is BACKUP; +0.01; is MASTER; clear",
        "",
    ),
    (
        "version 3 learns the interval with the advertisement",
        "version 3",
        "hear 200 every=0.2; +0.72; is BACKUP; +0.01; is MASTER; clear",
        "",
    ),
    (
        "a discarded advertisement teaches no interval",
        "version 3",
        "hear 99 every=10; +3.6; is BACKUP; +0.01; is MASTER; clear",
        "",
    ),
];

const MASTER: &[Row] = &[
    (
        "a farewell is answered at once, and nothing else changes",
        "",
        "+4; clear; hear 0; is MASTER",
        "4.000 A 100",
    ),
    (
        "a higher one wins after one more advertisement of ours",
        "",
        "+4; clear; hear 101",
        "4.000 A 100
         4.000 -192.0.2.100
         4.000 BACKUP",
    ),
    (
        "higher_prio_send_advert off yields without a word",
        "higher_prio_send_advert off",
        "+4; clear; hear 101",
        "4.000 -192.0.2.100
         4.000 BACKUP",
    ),
    (
        "an equal one with a larger address wins",
        "higher_prio_send_advert off",
        "+4; clear; hear 100 from=200.0.0.1",
        "4.000 -192.0.2.100
         4.000 BACKUP",
    ),
    (
        "an equal one with a smaller address is answered like a lower one",
        "garp_lower_prio_delay 0",
        "+4; clear; hear 100 from=192.0.2.9",
        "4.000 A 100
         4.000 G 192.0.2.100 x5",
    ),
    (
        "a lower one is answered, announced, and announced again after the delay",
        "garp_lower_prio_delay 2; garp_lower_prio_repeat 3; garp_master_delay 0; notify_master_rx_lower_pri /l",
        "+4; mute; clear; hear 99; +2.5",
        "4.000 G 192.0.2.100 x3
         4.000 run /l
         6.000 G 192.0.2.100 x3",
    ),
    (
        "lower_prio_no_advert announces without answering",
        "lower_prio_no_advert; garp_lower_prio_delay 0",
        "+4; clear; hear 99",
        "4.000 G 192.0.2.100 x5",
    ),
    (
        "garp_lower_prio_repeat 0 answers without announcing",
        "garp_lower_prio_repeat 0; garp_lower_prio_delay 0",
        "+4; clear; hear 99",
        "4.000 A 100",
    ),
    (
        "our own address as sender is a warning",
        "",
        "+4; clear; hear 100 from=192.0.2.10; hear 100 from=192.0.2.10; is MASTER",
        "4.000 odd 192.0.2.10 somebody has our own address",
    ),
    (
        "another owner with a larger address wins",
        "priority 255; higher_prio_send_advert off",
        "clear; hear 255 from=192.0.2.20",
        "0.000 odd 192.0.2.20 it claims to own our addresses too (priority 255)
         0.000 -192.0.2.100
         0.000 BACKUP",
    ),
    (
        "another owner with a smaller address has 2 advertisements and 1.2 intervals, then we are 254 and yield",
        "priority 255; garp_lower_prio_repeat 0; garp_lower_prio_delay 0; higher_prio_send_advert off",
        "mute; clear; hear 255 from=192.0.2.9; +1; hear 255 from=192.0.2.9; +1; hear 255 from=192.0.2.9; priority 254; \
         is MASTER; +1; hear 255 from=192.0.2.9; is BACKUP; +1; hear 100 from=192.0.2.21; priority 255",
        "0.000 odd 192.0.2.9 it claims to own our addresses too (priority 255)
         3.000 -192.0.2.100
         3.000 BACKUP",
    ),
];

#[test]
fn a_backup_does_what_each_row_says() {
    play(BACKUP);
}

#[test]
fn a_master_does_what_each_row_says() {
    play(MASTER);
}
