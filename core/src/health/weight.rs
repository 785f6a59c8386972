//! What the verdict of a tracked thing adds to a virtual router's priority (keepalived 2.10).
//!
//! Pure arithmetic; the sum, its clamp to 1..=254 and the owner's exemption belong to the virtual router.

/// What one tracked thing says about a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contribution {
    /// The virtual router may not take part.
    Fault,
    /// Not known yet, and it may turn out to be a fault: the virtual router waits.
    Held,
    /// Points added to the base priority.
    Points(i32),
}

/// The contribution of a thing tracked with `weight` and `reverse` that is healthy, failed or not known yet.
pub(crate) fn contribution(weight: i16, reverse: bool, up: Option<bool>) -> Contribution {
    let points = i32::from(weight);
    match (weight, up) {
        (0, None) => Contribution::Held,
        (_, None) => Contribution::Points(0),
        (0, Some(up)) if up == reverse => Contribution::Fault,
        (0, Some(_)) => Contribution::Points(0),
        // A positive weight speaks while healthy, a negative one while failed; `reverse` flips the sign of either.
        (_, Some(up)) if up == (points > 0) => Contribution::Points(if reverse { -points } else { points }),
        (_, Some(_)) => Contribution::Points(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Contribution::{Fault, Held, Points};

    #[test]
    fn the_table_of_weights_holds() {
        let (up, down) = (Some(true), Some(false));
        let table = [
            (0, false, up, Points(0)),
            (0, false, down, Fault),
            (0, false, None, Held),
            (0, true, up, Fault),
            (0, true, down, Points(0)),
            (0, true, None, Held),
            (20, false, up, Points(20)),
            (20, false, down, Points(0)),
            (20, false, None, Points(0)),
            (20, true, up, Points(-20)),
            (20, true, down, Points(0)),
            (-30, false, up, Points(0)),
            (-30, false, down, Points(-30)),
            (-30, false, None, Points(0)),
            (-30, true, up, Points(0)),
            (-30, true, down, Points(30)),
            (253, false, up, Points(253)),
            (i16::MIN, true, down, Points(32_768)),
        ];
        for (weight, reverse, up, want) in table {
            assert_eq!(contribution(weight, reverse, up), want, "weight {weight} reverse {reverse} {up:?}");
        }
    }
}
