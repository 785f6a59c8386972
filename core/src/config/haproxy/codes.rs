//! The codes of the haproxy language, `SF2000` to `SF2999`, and one sentence about each.
//!
//! A code keeps its meaning for ever; one that is no longer given is not given to something else.

use crate::config::finding::Code;

macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: Code = Code($number);)*
        const TABLE: &[(Code, &str)] = &[$(($name, $text)),*];
    };
}

codes! {
    UNREADABLE = 2001, "The file could not be read.";
    NUL_BYTE = 2002, "The text holds a NUL byte, at which haproxy stops reading the line.";
    NOT_UTF8 = 2003, "A word holds bytes that are not UTF-8; only comments may.";
    CRLF = 2004, "Lines end in CR LF; the CR is read as a blank, as haproxy does.";
    TRUNCATED = 2005, "The last line has no line feed: the file may have been cut off.";
    LINE_TOO_LONG = 2006, "A line is longer than is read.";
    TOO_MANY_WORDS = 2007, "A line has more than 64 words.";
    QUOTING = 2008, "A quote, escape or brace is not closed or not complete.";
    PLACEHOLDER = 2009, "A placeholder such as ${HOST1_ID} was not replaced.";
    UNKNOWN_SECTION = 2011, "No section starts with this word.";
    SECTION_UNUSED = 2012, "The section is read over and has no effect here.";
    SECTION_REFUSED = 2013, "The section asks for something that is not served and that cannot be left out in silence.";
    CONDITION = 2014, "Conditional blocks and directives that start with a dot are not served.";
    UNKNOWN_KEYWORD = 2020, "No such keyword.";
    MISPLACED = 2021, "The keyword does not belong into this kind of section.";
    NO_EFFECT = 2022, "The keyword is known, but has no effect here.";
    REFUSED = 2023, "The keyword is known and not served, and leaving it out would change traffic or safety.";
    MISSING_ARGUMENT = 2025, "The keyword needs another word.";
    EXTRA_ARGUMENT = 2026, "There are more words than the keyword takes.";
    NO_PREFIX = 2027, "`no` or `default` is not possible before this keyword.";
    BAD_NUMBER = 2030, "Not a number, or out of range.";
    BAD_TIME = 2031, "Not a time, or out of range.";
    BAD_ADDRESS = 2032, "Not an address that can be used here.";
    UNRESOLVED = 2033, "The host name has no address.";
    BAD_PORT = 2034, "The port is missing or out of range.";
    BAD_NAME = 2035, "The name is missing or holds a character that names must not hold.";
    DUPLICATE = 2036, "The name is used twice.";
    SAME_NAME = 2037, "A frontend and a backend share a name, which haproxy 3.3 and later refuse.";
    UNKNOWN_DEFAULTS = 2038, "There is no defaults section of this name.";
    BAD_VALUE = 2039, "The keyword does not take this word.";
    UNKNOWN_BACKEND = 2040, "There is no backend of this name.";
    NO_LISTENER = 2041, "Nothing listens: there is no frontend with a bind line.";
    NO_TIMEOUT = 2042, "A timeout is missing, so that dead connections stay for ever.";
    HTTP_MODE = 2043, "The proxy is in HTTP mode; only TCP is balanced.";
    HTTP_LOG = 2044, "HTTP log lines are not possible in TCP mode; the TCP form is used.";
    HTTP_ONLY = 2045, "The option needs HTTP mode and is ignored.";
    NO_BACKEND = 2046, "The frontend names no backend: its connections are closed at once.";
    NO_SERVER = 2047, "The backend has no server.";
    CHECK_LOST = 2050, "A later check option of the same section replaces this one.";
    CHECK_REFUSED = 2051, "This kind of health check is not served.";
    NO_CA = 2053, "The certificate of the server shall be verified, but no ca-file says against what.";
    CHECK_UNUSED = 2054, "The rule belongs to a kind of check that this backend does not use.";
    NOT_CHECKED = 2055, "Check parameters are given, but the server is not checked.";
    SAME_PORT = 2060, "A bind line and a server of this host use the same port.";
    IDLE_SESSIONS = 2061, "Idle sessions such as a quiet kubectl exec are cut by this timeout.";
    HEALTHZ = 2062, "The path /healthz of the Kubernetes API server is deprecated.";
    TOO_MANY = 2070, "More of something than is served.";
}

/// What `code` means, in one sentence.
#[must_use]
pub fn explain(code: Code) -> Option<&'static str> {
    TABLE.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_its_range_and_given_once() {
        for (index, (code, text)) in TABLE.iter().enumerate() {
            assert!((2000..3000).contains(&code.0) && text.ends_with('.'), "{code}");
            assert!(TABLE[..index].iter().all(|(other, _)| other != code), "{code}");
        }
        assert_eq!(explain(Code(1)), None);
    }
}
