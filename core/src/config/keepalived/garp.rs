//! The `garp_*` family, for all virtual routers and for one.

use super::codes;
use super::keyword::Desk;
use super::tree::Statement;
use super::values::{argument, number};
use crate::config::model::AnnounceConfig;
use alloc::format;
use core::time::Duration;

/// As written; what is not is inherited.
#[derive(Clone, Debug, Default)]
pub(super) struct Garp {
    pub(super) delay: Option<u32>,
    pub(super) repeat: Option<u32>,
    pub(super) refresh: Option<u32>,
    pub(super) refresh_repeat: Option<u32>,
    pub(super) lower_delay: Option<u32>,
    pub(super) lower_repeat: Option<u32>,
    pub(super) extra: Option<u32>,
    /// `vrrp_min_garp`: one announcement, and no more, where nothing else is said.
    pub(super) min: bool,
}

/// The most announcements of one block; a spoofed stream of advertisements must not be amplified without bound (B15).
pub(super) const MAX_REPEAT: i64 = 1000;

/// `garp_master_delay`.
pub(super) fn delay(garp: &mut Garp, desk: &mut Desk<'_>, s: &Statement) {
    garp.delay = argument(desk, s, 0..=4294).or(garp.delay);
}

/// `garp_master_repeat`; 0 becomes 1.
pub(super) fn repeat(garp: &mut Garp, desk: &mut Desk<'_>, s: &Statement) {
    garp.repeat = at_least_one(desk, s).or(garp.repeat);
}

/// `garp_master_refresh`.
pub(super) fn refresh(garp: &mut Garp, desk: &mut Desk<'_>, s: &Statement) {
    garp.refresh = argument(desk, s, 0..=i64::from(u32::MAX)).or(garp.refresh);
}

/// `garp_master_refresh_repeat`; 0 becomes 1.
pub(super) fn refresh_repeat(garp: &mut Garp, desk: &mut Desk<'_>, s: &Statement) {
    garp.refresh_repeat = at_least_one(desk, s).or(garp.refresh_repeat);
}

/// A number of announcements where none makes no sense.
fn at_least_one(desk: &mut Desk<'_>, s: &Statement) -> Option<u32> {
    let number: u32 = argument(desk, s, 0..=MAX_REPEAT)?;
    if number == 0 {
        desk.warn(s.span(), codes::ROUNDED, format!("`{} 0` means 1", s.keyword()), "");
    }
    Some(number.max(1))
}

/// `garp_lower_prio_delay`.
pub(super) fn lower_delay(garp: &mut Garp, desk: &mut Desk<'_>, s: &Statement) {
    garp.lower_delay = argument(desk, s, 0..=4294).or(garp.lower_delay);
}

/// `garp_lower_prio_repeat`; 0 is none.
pub(super) fn lower_repeat(garp: &mut Garp, desk: &mut Desk<'_>, s: &Statement) {
    garp.lower_repeat = argument(desk, s, 0..=MAX_REPEAT).or(garp.lower_repeat);
}

/// `garp_extra_if [all] SECONDS`, at least `least`; `all` is what happens here in any case.
pub(super) fn extra(garp: &mut Garp, desk: &mut Desk<'_>, s: &Statement, least: i64) {
    if s.keyword().contains("vmac_garp_intvl") {
        let new = if least == 0 { "garp_extra_if" } else { "vrrp_garp_extra_if" };
        let message = format!("{} is the old name of {new}", s.keyword());
        desk.warn(s.span(), codes::DEPRECATED, message, &format!("write {new}"));
    }
    let found = match s.arguments() {
        [all, time] if all.text == "all" => number(desk, time, least..=86_400),
        [time] if time.text == "all" => {
            let message = format!("`{} all` needs seconds", s.keyword());
            desk.error(time.span(), codes::MISSING_ARGUMENT, message, "all SECONDS");
            None
        }
        [time] => number(desk, time, least..=86_400),
        [wrong, ..] => {
            let message = format!("`{}` is not read", wrong.text);
            desk.error(wrong.span(), codes::EXTRA_WORDS, message, "[all] SECONDS");
            None
        }
        [] => None,
    };
    garp.extra = found.and_then(|seconds| u32::try_from(seconds).ok()).or(garp.extra);
}

impl Garp {
    /// What holds for a virtual router whose own settings are these; `inherited` are those of `global_defs` when
    /// its block began, `last` those at the end of the file.
    pub(super) fn settle(&self, inherited: &Garp, last: &Garp, strict: bool) -> AnnounceConfig {
        let min = last.min;
        let pick = |own: Option<u32>, outer: Option<u32>, few: u32, many: u32| {
            own.or(outer).unwrap_or(if min { few } else { many })
        };
        let repeat = pick(self.repeat, inherited.repeat, 1, 5);
        let delay = pick(self.delay, inherited.delay, 0, 5);
        // keepalived's default is never; without it a healed split leaves neighbours at the wrong router.
        let refresh = pick(self.refresh, inherited.refresh, 0, 60);
        let refresh_repeat = pick(self.refresh_repeat, inherited.refresh_repeat, 1, 1);
        let (lower_repeat, lower_delay) = if strict {
            (0, 0)
        } else {
            (
                self.lower_repeat.or(last.lower_repeat).unwrap_or(repeat),
                self.lower_delay.or(last.lower_delay).unwrap_or(delay),
            )
        };
        let time = |n: u32| Duration::from_secs(u64::from(n));
        AnnounceConfig {
            repeat,
            delay: time(delay),
            refresh: time(refresh),
            refresh_repeat,
            lower_repeat,
            lower_delay: time(lower_delay),
            extra: time(self.extra.or(last.extra).unwrap_or(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_settings_win_over_inherited_ones_and_those_over_defaults() {
        let own = Garp { repeat: Some(2), ..Garp::default() };
        let global = Garp { repeat: Some(3), delay: Some(7), ..Garp::default() };
        let found = own.settle(&global, &global, false);
        assert_eq!((found.repeat, found.delay, found.lower_repeat), (2, Duration::from_secs(7), 2));
        assert_eq!(found.refresh, Duration::from_secs(60));
        let strict = own.settle(&global, &global, true);
        assert_eq!((strict.lower_repeat, strict.lower_delay), (0, Duration::ZERO));
        let min = Garp { min: true, ..Garp::default() };
        assert_eq!(Garp::default().settle(&min, &min, false).repeat, 1);
    }
}
