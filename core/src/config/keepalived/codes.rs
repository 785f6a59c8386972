//! The codes of findings about keepalived.conf, and those that any language may use (`SF0xxx`).

use crate::config::finding::Code;

macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: Code = Code($number);)*

        /// What `code` means.
        #[must_use]
        pub fn explain(code: Code) -> Option<&'static str> {
            match code.0 {
                $($number => Some($text),)*
                _ => None,
            }
        }
    };
}

codes! {
    UNREADABLE = 1, "A file cannot be read.";
    NO_MATCH = 2, "A pattern of files matches nothing.";
    TOO_DEEP = 3, "Includes are nested too deeply, or there are too many of them.";
    SELF_INCLUDE = 4, "A file includes itself.";
    LINE_TOO_LONG = 5, "A line is longer than keepalived reads (1023 bytes); it would be cut or ignored there.";
    NUL = 6, "A line contains a NUL byte.";
    NOT_UTF8 = 7, "A line is not UTF-8 outside its comment.";
    TOO_MANY_LINES = 8, "The configuration has more statements than any host needs.";
    PLACEHOLDER = 9, "A placeholder was never replaced by its value.";
    OPEN_QUOTE = 10, "A quote is opened and not closed on its line.";
    EXPANSION = 11, "Definitions expand without end, or too far.";
    GENERATOR = 12, "A ~SEQ or ~LST line is malformed.";
    STRAY_BRACE = 13, "A closing brace closes nothing, or an opening one opens nothing.";
    MISSING_BRACE = 14, "A block is never opened or never closed.";
    CONDITION = 15, "A line for one host only (@id) is malformed.";
    DEFINITION = 16, "A definition is malformed.";
    EMPTY = 17, "The configuration says nothing that can be run.";

    UNKNOWN_KEYWORD = 1001, "keepalived knows no such keyword here.";
    UNSERVED = 1002, "A keyword that changes routing or election and is not served; it is refused rather than ignored.";
    NO_EFFECT = 1003, "A keyword that is known and has no effect here.";
    MISSING_ARGUMENT = 1004, "A keyword needs an argument.";
    EXTRA_WORDS = 1005, "Words after the keyword's arguments are not read.";
    BAD_VALUE = 1006, "An argument is not of the kind the keyword takes.";
    OUT_OF_RANGE = 1007, "A number is outside the range.";
    ROUNDED = 1008, "A value is rounded to what the protocol can carry.";
    DUPLICATE = 1009, "Something is named or set twice.";
    NO_SUCH_NAME = 1010, "A name that nothing above it defines.";
    NOT_A_BLOCK = 1011, "A block where the keyword takes none.";
    VIRTUAL_SERVER = 1012, "LVS virtual servers are not served; the same is said in haproxy's language.";
    DEPRECATED = 1014, "A keyword in a form that keepalived has given up.";
    LEGACY_GROUP = 1013, "A sync group in the form of before 2.0, without `group { }`.";

    NO_VRID = 1101, "A virtual router without virtual_router_id.";
    NO_INTERFACE = 1102, "A virtual router without interface.";
    SAME_VRID = 1103, "Two virtual routers with the same id would hear each other on one interface.";
    SAME_ADDRESS = 1104, "An address is listed twice; the second one is dropped.";
    NO_ADDRESS = 1105, "A virtual router without an address.";
    FAMILY = 1106, "Addresses of both families in one virtual router.";
    VERSION = 1107, "The protocol version does not fit the address family.";
    STATE = 1108, "State and priority do not go together.";
    AUTHENTICATION = 1109, "Authentication is dropped or incomplete.";
    PASSWORD_CUT = 1110, "VRRP version 2 carries 8 bytes of password.";
    PREEMPT = 1111, "nopreempt and preempt_delay do not go together with the rest.";
    UNICAST = 1112, "Unicast is configured without a peer.";
    STRICT = 1113, "strict_mode changes what was written.";
    TRACKER_WEIGHT = 1114, "A tracker's weight has no place here.";
    INTERVAL = 1115, "An advertisement interval outside what the protocol version carries.";
    TOO_MANY_ADDRESSES = 1116, "More addresses than one advertisement carries.";
    TOO_MANY_INSTANCES = 1117, "More virtual routers than a host can have.";
    LINK_DELAY = 1119, "A delay of a link is cut, or holds for one direction only.";
    OVERSLEEP = 1120, "timer_expired_backup without nopreempt.";
    SOURCE = 1118, "A source address of the wrong family.";

    SCRIPT_MISSING = 1201, "A check's command cannot be run; the check fails at each run (keepalived would not check at all).";
    SCRIPT_ARGUMENTS = 1202, "Words after the command are not its arguments; quote command and arguments together.";
    SCRIPT_SECURITY = 1203, "A script runs as root, or somebody other than root could change it.";
    SCRIPT_UNUSED = 1204, "A vrrp_script that no virtual router tracks is not run.";
    NO_COMMAND = 1205, "A block without its command.";
    UNKNOWN_USER = 1206, "No such account.";
    INIT_FAIL = 1207, "init_fail is served as documented; keepalived has no effect for it.";

    SLOW_DETECTION = 1301, "A failed check is only believed after a long time.";
    CLEAR_PASSWORD = 1302, "VRRP version 2 sends its password in clear.";
    COMMON_VRID = 1303, "Virtual router id 51 is the default of every tutorial.";
    WISH_WITHOUT_EFFECT = 1304, "state MASTER does not make a router start as master.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_and_an_unknown_one_is_not() {
        assert!(explain(PLACEHOLDER).is_some());
        assert!(explain(Code(999)).is_none());
    }
}
