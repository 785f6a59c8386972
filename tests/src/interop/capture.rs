//! What a tcpdump on all ports of the switch has seen: who advertised what, and when.
//!
//! The sender is the port through which a frame came in, whatever addresses it carries. Times are the kernel's own
//! stamps, in microseconds since 1970.

/// One advertisement as it came into the switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// When.
    pub at: u64,
    /// The node it came from: 1 or 2.
    pub node: usize,
    /// The virtual router.
    pub vrid: u8,
    /// The priority; 0 is a farewell.
    pub priority: u8,
}

/// The advertisements in tcpdump's text, in order.
#[must_use]
pub fn read(text: &str) -> Vec<Advert> {
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).filter_map(advert).collect()
}

fn advert(line: &str) -> Option<Advert> {
    let mut words = line.split_whitespace();
    let (seconds, fraction) = words.next()?.split_once('.')?;
    let at = seconds.parse::<u64>().ok()? * 1_000_000 + fraction.parse::<u64>().ok()?;
    let node = words.next()?.strip_prefix("p-cp")?.parse().ok()?;
    if words.next()? == "Out" {
        return None;
    }
    let after = |name: &str| {
        let rest = line.split_once(name)?.1;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u8>().ok()
    };
    Some(Advert { at, node, vrid: after(" vrid ")?, priority: after(" prio ")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertisement_is_counted_once_where_it_comes_in() {
        let text = "1795449596.705665 p-cp1 M   IP6 fe80::1 > ff02::12: VRRPv3, Advertisement, vrid 51, prio 100, \
                    intvl 100cs, length 24\n\
                    1795449596.705681 p-cp2 Out IP6 fe80::1 > ff02::12: VRRPv3, Advertisement, vrid 51, prio 100, \
                    intvl 100cs, length 24\n\
                    1795449597.760439 p-cp2 M   IP 192.0.2.12 > 224.0.0.18: VRRPv2, Advertisement, vrid 52, prio 0, \
                    authtype none, intvl 1s, length 20\n\
                    1795449597.760450 br0   M   IP 192.0.2.12 > 224.0.0.18: VRRPv2, Adverti";
        let first = Advert { at: 1_795_449_596_705_665, node: 1, vrid: 51, priority: 100 };
        let second = Advert { at: 1_795_449_597_760_439, node: 2, vrid: 52, priority: 0 };
        assert_eq!(read(text), [first, second]);
    }
}
