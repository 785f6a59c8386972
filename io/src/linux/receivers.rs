//! Who receives VRRP packets where: one receiver per interface and address, shared by all virtual routers that listen
//! there, closed by the last one, and bounded in number.

use standfast_core::id::Interface;
use standfast_core::input::Errno;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;
use tokio::task::JoinHandle;

/// Receivers (interface and address) that may be open at once.
pub const MAX_RECEIVERS: usize = 8192;

/// The open receivers.
#[derive(Debug, Default)]
pub(super) struct Receivers(BTreeMap<(Interface, IpAddr), Reception>);

/// A receiver, and how many virtual routers use it.
#[derive(Debug)]
struct Reception {
    users: usize,
    task: JoinHandle<()>,
}

impl Drop for Reception {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receivers {
    /// One more user of the receiver `on` interface `at` address, which `start` starts if there is none yet.
    pub(super) fn open(
        &mut self,
        on: Interface,
        at: IpAddr,
        start: impl FnOnce() -> Result<JoinHandle<()>, Errno>,
    ) -> Result<(), Errno> {
        let full = self.0.len() >= MAX_RECEIVERS;
        match self.0.entry((on, at)) {
            Entry::Occupied(mut open) => open.get_mut().users += 1,
            Entry::Vacant(_) if full => return Err(Errno(libc::ENOBUFS)),
            Entry::Vacant(place) => {
                place.insert(Reception { users: 1, task: start()? });
            }
        }
        Ok(())
    }

    /// One user less.
    pub(super) fn close(&mut self, on: Interface, at: IpAddr) {
        if let Entry::Occupied(mut open) = self.0.entry((on, at)) {
            open.get_mut().users -= 1;
            if open.get().users == 0 {
                open.remove();
            }
        }
    }

    /// The interface is gone, and with it every receiver on it.
    pub(super) fn forget(&mut self, gone: Interface) {
        self.0.retain(|(on, _), _| *on != gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn of_one_receiver_more_than_the_limit_the_last_is_refused_and_shared_ones_still_count() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let start = || Ok(runtime.spawn(async {}));
        let mut receivers = Receivers::default();
        let at = |nth: usize| IpAddr::V4(Ipv4Addr::from_bits(0xc000_0200 + u32::try_from(nth).unwrap()));
        let on = Interface(2);
        for nth in 0..MAX_RECEIVERS {
            assert_eq!(receivers.open(on, at(nth), start), Ok(()));
        }
        assert_eq!(receivers.open(on, at(MAX_RECEIVERS), start), Err(Errno(libc::ENOBUFS)));
        assert_eq!(receivers.open(on, at(0), start), Ok(()), "it is open already");
        receivers.close(on, at(0));
        assert_eq!(
            receivers.open(on, at(MAX_RECEIVERS), start),
            Err(Errno(libc::ENOBUFS)),
            "one user is left"
        );
        receivers.close(on, at(0));
        assert_eq!(receivers.open(on, at(MAX_RECEIVERS), start), Ok(()));
        receivers.forget(on);
        assert_eq!(receivers.open(on, at(0), || Err(Errno::EPERM)), Err(Errno::EPERM));
    }
}
