//! BFD control packets (RFC 5880 section 4.1): total parsing of untrusted bytes, infallible emission.
//!
//! [`Control::parse`] makes the checks of section 6.8.6 that need no session, in the RFC's order; those that need one are
//! made by `crate::bfd`. Authentication is not spoken: a packet that has it parses, and is refused where the session is
//! known (keepalived knows none either). Intervals are whole microseconds on the wire.

use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// The octets of a packet without authentication.
pub const LENGTH: usize = 24;
/// The fewest octets of one with authentication.
const AUTHENTICATED: usize = 26;
/// The version spoken.
const VERSION: u8 = 1;

/// State of a session (RFC 5880 section 6.8.1), with its number on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// Held down by an operator, or by the daemon's stop.
    AdminDown = 0,
    /// Nothing is known of the neighbour, or it has failed.
    #[default]
    Down = 1,
    /// The neighbour is heard; whether it hears us is not known.
    Init = 2,
    /// Both hear each other.
    Up = 3,
}

impl State {
    /// The RFC's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            State::AdminDown => "AdminDown",
            State::Down => "Down",
            State::Init => "Init",
            State::Up => "Up",
        }
    }

    fn of(bits: u8) -> State {
        match bits & 3 {
            0 => State::AdminDown,
            1 => State::Down,
            2 => State::Init,
            _ => State::Up,
        }
    }
}

/// Why the sender's session last left Up (RFC 5880 section 4.1, `Diag`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Diagnostic(pub u8);

impl Diagnostic {
    /// No diagnostic.
    pub const NONE: Diagnostic = Diagnostic(0);
    /// Control detection time expired.
    pub const EXPIRED: Diagnostic = Diagnostic(1);
    /// Neighbor signaled session down.
    pub const SIGNALED: Diagnostic = Diagnostic(3);
    /// Administratively down.
    pub const ADMINISTRATIVE: Diagnostic = Diagnostic(7);

    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self.0 {
            0 => "no diagnostic",
            1 => "detection time expired",
            2 => "echo function failed",
            3 => "neighbor signaled session down",
            4 => "forwarding plane reset",
            5 => "path down",
            6 => "concatenated path down",
            7 => "administratively down",
            8 => "reverse concatenated path down",
            _ => "an unknown diagnostic",
        }
    }
}

/// Why a packet was discarded; one variant per rule of RFC 5880 section 6.8.6, in order, and RFC 5881 section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BfdError {
    /// Not version 1.
    Version,
    /// The length field is shorter than a packet, or longer than what came.
    Length,
    /// The detection multiplier is zero.
    Multiplier,
    /// The multipoint bit is set.
    Multipoint,
    /// The sender's discriminator is zero.
    MyDiscriminator,
    /// No session has this discriminator, or none has this neighbour.
    NoSession,
    /// No discriminator of ours, in a state in which the sender must know one.
    YourDiscriminator,
    /// It came over more hops than `max_hops` allows (TTL or hop limit).
    Hops,
    /// It is authenticated, and the session is not.
    Authenticated,
    /// It bears our discriminator, and is not from the neighbour.
    Sender,
}

impl BfdError {
    /// The name of its counter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            BfdError::Version => "bfd_version",
            BfdError::Length => "bfd_length",
            BfdError::Multiplier => "bfd_multiplier",
            BfdError::Multipoint => "bfd_multipoint",
            BfdError::MyDiscriminator => "bfd_my_discriminator",
            BfdError::NoSession => "bfd_no_session",
            BfdError::YourDiscriminator => "bfd_your_discriminator",
            BfdError::Hops => "bfd_ttl",
            BfdError::Authenticated => "bfd_authentication",
            BfdError::Sender => "bfd_sender",
        }
    }

    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            BfdError::Version => "not BFD version 1",
            BfdError::Length => "wrong length",
            BfdError::Multiplier => "its multiplier is zero",
            BfdError::Multipoint => "its multipoint bit is set",
            BfdError::MyDiscriminator => "it names no discriminator of its own",
            BfdError::NoSession => "no bfd_instance is for it",
            BfdError::YourDiscriminator => "it names no discriminator of ours",
            BfdError::Hops => "its TTL says that it came over too many hops (see max_hops and ttl)",
            BfdError::Authenticated => "it is authenticated, and no bfd_instance is",
            BfdError::Sender => "it is not from the neighbour",
        }
    }
}

/// A control packet, without authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// Why the sender's session last left Up.
    pub diagnostic: Diagnostic,
    /// Its state.
    pub state: State,
    /// What it asks for and says.
    pub flags: Flags,
    /// Its detection multiplier.
    pub multiplier: u8,
    /// Its discriminator, not zero.
    pub mine: u32,
    /// Ours as it knows it; zero when it does not.
    pub yours: u32,
    /// `Desired Min TX Interval`.
    pub desired_tx: Duration,
    /// `Required Min RX Interval`; zero: it wants no periodic packets.
    pub required_rx: Duration,
}

/// Bits of a control packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `P`: answer at once.
    pub poll: bool,
    /// `F`: this is the answer.
    pub last: bool,
    /// `A`: an authentication section follows.
    pub authenticated: bool,
    /// `D`: demand mode.
    pub demand: bool,
}

fn micros(time: Duration) -> [u8; 4] {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX).to_be_bytes()
}

impl Control {
    /// Reads a packet, total on untrusted bytes.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(bytes: &[u8]) -> Result<Control, BfdError> {
        let Some(packet) = bytes.first_chunk::<LENGTH>() else { return Err(BfdError::Length) };
        let word = |at: usize| {
            let octets = packet.get(at..).and_then(|rest| rest.first_chunk()).copied();
            u32::from_be_bytes(octets.unwrap_or_default())
        };
        let time = |at: usize| Duration::from_micros(u64::from(word(at)));
        if packet[0] >> 5 != VERSION {
            return Err(BfdError::Version);
        }
        let bit = |mask: u8| packet[1] & mask != 0;
        let flags = Flags { poll: bit(0x20), last: bit(0x10), authenticated: bit(0x04), demand: bit(0x02) };
        let least = if flags.authenticated { AUTHENTICATED } else { LENGTH };
        if !(least..=bytes.len()).contains(&usize::from(packet[3])) {
            return Err(BfdError::Length);
        }
        if packet[2] == 0 {
            return Err(BfdError::Multiplier);
        }
        if bit(0x01) {
            return Err(BfdError::Multipoint);
        }
        let control = Control {
            diagnostic: Diagnostic(packet[0] & 0x1f),
            state: State::of(packet[1] >> 6),
            flags,
            multiplier: packet[2],
            mine: word(4),
            yours: word(8),
            desired_tx: time(12),
            required_rx: time(16),
        };
        if control.mine == 0 {
            return Err(BfdError::MyDiscriminator);
        }
        Ok(control)
    }

    /// The octets of the packet. It asks for no echo packets, and has no authentication section.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let Flags { poll, last, authenticated: _, demand } = self.flags;
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(VERSION << 5 | self.diagnostic.0 & 0x1f);
        bytes.push(
            (self.state as u8) << 6 | u8::from(poll) << 5 | u8::from(last) << 4 | u8::from(demand) << 1,
        );
        bytes.push(self.multiplier);
        bytes.push(LENGTH.to_le_bytes()[0]);
        bytes.extend_from_slice(&self.mine.to_be_bytes());
        bytes.extend_from_slice(&self.yours.to_be_bytes());
        bytes.extend_from_slice(&micros(self.desired_tx));
        bytes.extend_from_slice(&micros(self.required_rx));
        bytes.extend_from_slice(&[0; 4]);
        bytes
    }
}

/// Reads any bytes as a control packet and, if they are one, writes and reads it again; for fuzzing.
///
/// # Panics
/// When a packet changes by being written and read.
pub fn fuzz_bfd(bytes: &[u8]) {
    if let Ok(mut control) = Control::parse(bytes) {
        control.flags.authenticated = false;
        assert_eq!(Control::parse(&control.emit()), Ok(control), "written and read, the packet differs");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Control = Control {
        diagnostic: Diagnostic::SIGNALED,
        state: State::Up,
        flags: Flags { poll: true, last: false, authenticated: false, demand: false },
        multiplier: 5,
        mine: 0x0102_0304,
        yours: 0x0506_0708,
        desired_tx: Duration::from_millis(10),
        required_rx: Duration::from_millis(300),
    };

    #[test]
    fn a_packet_has_the_octets_of_rfc_5880_section_4_1() {
        let octets =
            [0x23, 0xe0, 5, 24, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x27, 0x10, 0, 4, 0x93, 0xe0, 0, 0, 0, 0];
        assert_eq!(UP.emit(), octets);
        assert_eq!(Control::parse(&octets), Ok(UP));
    }

    #[test]
    fn each_rule_that_needs_no_session_refuses_its_packet() {
        let with = |at: usize, value: u8| {
            let mut octets = UP.emit();
            octets[at] = value;
            Control::parse(&octets)
        };
        for (at, value, error) in [
            (0, 0x00, BfdError::Version),
            (0, 0x40, BfdError::Version),
            (3, 23, BfdError::Length),
            (3, 25, BfdError::Length),
            (1, 0xe4, BfdError::Length),
            (2, 0, BfdError::Multiplier),
            (1, 0xe1, BfdError::Multipoint),
        ] {
            assert_eq!(with(at, value), Err(error), "octet {at} = {value:#x}");
        }
        let mut octets = UP.emit();
        octets[4..8].fill(0);
        assert_eq!(Control::parse(&octets), Err(BfdError::MyDiscriminator));
        for length in 0..LENGTH {
            assert_eq!(Control::parse(&UP.emit()[..length]), Err(BfdError::Length));
        }
    }

    #[test]
    fn octets_behind_the_packet_do_not_count_and_an_authenticated_one_is_told_apart() {
        let mut octets = UP.emit();
        octets.extend([9; 8]);
        assert_eq!(Control::parse(&octets), Ok(UP));
        octets[1] |= 0x04;
        octets[3] = 26;
        assert!(Control::parse(&octets).unwrap().flags.authenticated);
    }
}
