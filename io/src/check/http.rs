//! One HTTP request and its answer (`option httpchk`, `http-check send`, `http-check expect`).
//!
//! The request is haproxy's to the byte: names in lower case, no Host by itself, `content-length` before
//! `connection: close`, the latter with HTTP/1.1 only. The answer must have a whole head, of which only the status
//! line and the body's framing are read; the body is read only when it is expected to hold something. Both together
//! are cut at [`MAX_ANSWER`]: a head that does not fit is no HTTP, a body is searched as far as it came.

use super::verdict::{Failure, Passed, fail, words};
use standfast_core::config::model::{Expect, HttpProbe};
use standfast_core::input::CheckCode;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// The most bytes of an answer that are read: haproxy's `tune.bufsize`.
pub const MAX_ANSWER: usize = 16_384;
/// Bytes asked for at once.
const CHUNK: usize = 2_048;

/// The bytes of `probe`'s request.
#[must_use]
pub fn request(probe: &HttpProbe) -> Vec<u8> {
    let HttpProbe { method, uri, version, headers, body, .. } = probe;
    let mut out = format!("{method} {uri} {version}\r\n");
    let mut add = |name: &str, value: &str| {
        for part in [name, ": ", value, "\r\n"] {
            out.push_str(part);
        }
    };
    let has = |wanted: &str| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    for (name, value) in headers {
        add(&name.to_ascii_lowercase(), value);
    }
    if !body.is_empty() && !has("content-length") {
        add("content-length", &body.len().to_string());
    }
    if version == "HTTP/1.1" && !has("connection") {
        add("connection", "close");
    }
    out.push_str("\r\n");
    out.push_str(body);
    out.into_bytes()
}

/// Sends `probe`'s request on `stream` and judges the answer.
pub(super) async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    probe: &HttpProbe,
    end: Instant,
) -> Result<Passed, Failure> {
    match timeout_at(end, converse(stream, probe)).await {
        Err(_) => fail(CheckCode::L7Timeout, ""),
        // haproxy's word for a connection that breaks after it was established.
        Ok(Err(error)) => fail(CheckCode::SocketError, words(&error)),
        Ok(Ok(result)) => result,
    }
}

async fn converse(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    probe: &HttpProbe,
) -> io::Result<Result<Passed, Failure>> {
    stream.write_all(&request(probe)).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    let mut more = true;
    loop {
        match judge(&answer, more, &probe.expect) {
            Step::Done(result) => return Ok(result),
            Step::More => more = fill(stream, &mut answer).await?,
        }
    }
}

/// Reads once; false when nothing more will come or fit.
async fn fill(stream: &mut (impl AsyncRead + Unpin), answer: &mut Vec<u8>) -> io::Result<bool> {
    let old = answer.len();
    answer.resize(MAX_ANSWER.min(old + CHUNK), 0);
    let got = match stream.read(&mut answer[old..]).await {
        Ok(got) => got,
        // Many servers close a TLS connection without its farewell; the answer stands or falls by itself.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
        Err(error) => return Err(error),
    };
    answer.truncate(old + got);
    Ok(got > 0 && answer.len() < MAX_ANSWER)
}

#[derive(Debug)]
enum Step {
    More,
    Done(Result<Passed, Failure>),
}

/// What is known from the bytes so far; `more` may come.
fn judge(answer: &[u8], more: bool, expect: &Expect) -> Step {
    let invalid = |why: &str| Step::Done(fail(CheckCode::L7Response, why));
    if !b"HTTP/".iter().zip(answer).all(|(a, b)| a == b) {
        return invalid("the answer is not HTTP");
    }
    let Some(body_at) = head_end(answer) else {
        return match (more, answer.is_empty()) {
            (true, _) => Step::More,
            (false, true) => invalid("empty response"),
            (false, false) => invalid("the head of the answer does not end"),
        };
    };
    let (head, body) = answer.split_at(body_at);
    let Some((status, reason)) = status_line(head) else {
        return invalid("the status line is not HTTP");
    };
    let by_status = |good: bool| {
        let info = reason.clone();
        Step::Done(if good {
            Ok(Passed { code: CheckCode::L7Ok, status: Some(status.into()), info })
        } else {
            Err(Failure { code: CheckCode::L7Status, status: Some(status.into()), info })
        })
    };
    match expect {
        Expect::Default => by_status((200..=399).contains(&status)),
        Expect::Status { ranges, negated } => {
            by_status(ranges.iter().any(|(low, high)| (*low..=*high).contains(&status)) != *negated)
        }
        Expect::Body { text, negated } => {
            let (body, whole) = unframed(head, body);
            let found = contains(&body, text.as_bytes());
            if !found && more && !whole {
                return Step::More;
            }
            let status = Some(status.into());
            Step::Done(if found != *negated {
                Ok(Passed { code: CheckCode::L7Ok, status, info: reason })
            } else {
                let info =
                    if found { "the body holds what it must not" } else { "the body does not hold the text" };
                Err(Failure { code: CheckCode::L7Response, status, info: info.to_owned() })
            })
        }
    }
}

/// Where the body begins: after the first empty line, whose end may be a bare line feed.
fn head_end(answer: &[u8]) -> Option<usize> {
    let mut line = 0;
    for (i, byte) in answer.iter().enumerate() {
        if *byte == b'\n' {
            if line > 0 && matches!(&answer[line..i], [] | [b'\r']) {
                return Some(i + 1);
            }
            line = i + 1;
        }
    }
    None
}

/// Status and reason of `HTTP/1.1 200 OK`; the reason may be missing.
fn status_line(head: &[u8]) -> Option<(u16, String)> {
    let line = head.split(|b| *b == b'\n').next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let rest = line.strip_prefix(b"HTTP/")?;
    let [major, b'.', minor, b' ', a, b, c, rest @ ..] = rest else { return None };
    let digits = [major, minor, a, b, c];
    if !digits.iter().all(|d| d.is_ascii_digit()) || !matches!(rest, [] | [b' ', ..]) {
        return None;
    }
    let status = [a, b, c].iter().fold(0, |n, d| n * 10 + u16::from(**d - b'0'));
    Some((status, String::from_utf8_lossy(rest).trim().to_owned()))
}

/// The value of the header `name`, which is in lower case.
fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let lines = head.split(|b| *b == b'\n').skip(1);
    let mut fields = lines.filter_map(|line| std::str::from_utf8(line).ok()?.split_once(':'));
    fields.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The body as far as it came, without chunk marks, and whether that is all of it.
fn unframed(head: &[u8], body: &[u8]) -> (Vec<u8>, bool) {
    if header(head, "transfer-encoding").is_some_and(|v| v.to_ascii_lowercase().ends_with("chunked")) {
        return unchunked(body);
    }
    match header(head, "content-length").and_then(|v| v.parse::<usize>().ok()) {
        Some(length) => (body[..length.min(body.len())].to_vec(), body.len() >= length),
        None => (body.to_vec(), false),
    }
}

fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    loop {
        let Some(end) = rest.iter().position(|b| *b == b'\n') else { return (out, false) };
        let line = String::from_utf8_lossy(&rest[..end]);
        let digits = line.split(';').next().unwrap_or_default().trim();
        // A size that is no number ends the body: what came before it can still be searched.
        let Ok(size) = usize::from_str_radix(digits, 16) else { return (out, true) };
        rest = &rest[end + 1..];
        if size == 0 {
            return (out, true);
        }
        out.extend_from_slice(&rest[..size.min(rest.len())]);
        // The line end that closes the chunk.
        rest = rest.get(size..).unwrap_or_default();
        rest = rest.strip_prefix(b"\r").unwrap_or(rest);
        match rest.strip_prefix(b"\n") {
            Some(next) => rest = next,
            None => return (out, !rest.is_empty()),
        }
    }
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
