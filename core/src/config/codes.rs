//! Every finding's code, in one place: `SF0xxx` both languages, `SF1xxx` keepalived, `SF2xxx` haproxy, `SF3xxx` native.
