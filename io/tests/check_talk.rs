//! Conversations with servers that say the right thing, in pieces, the wrong thing, nothing, or hang up.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails by panicking")]

mod support;

use standfast_core::config::model::Probe;
use standfast_core::config::talk::{Answer, Dial, Reply, Said, Step, Talk, Wanted};
use standfast_core::input::{CheckCode, Outcome};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use support::{SECOND, nobody, probe, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a server does, in order.
#[derive(Clone, Debug)]
enum Act {
    /// Reads exactly these octets, else hangs up.
    Hear(&'static str),
    /// Says these, an octet at a time.
    Say(&'static str),
    /// Holds the connection without a word.
    Wait,
}

async fn play(mut stream: TcpStream, script: Arc<Vec<Act>>) {
    for act in script.iter() {
        match act {
            Act::Hear(text) => {
                let mut heard = vec![0; text.len()];
                if stream.read_exact(&mut heard).await.is_err() || heard != text.as_bytes() {
                    return;
                }
            }
            Act::Say(text) => {
                for octet in text.bytes() {
                    if stream.write_all(&[octet]).await.is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            }
            Act::Wait => tokio::time::sleep(Duration::from_secs(60)).await,
        }
    }
}

async fn playing(script: Vec<Act>) -> SocketAddr {
    let script = Arc::new(script);
    server(move |stream| play(stream, script.clone())).await
}

fn send(text: &str) -> Step {
    Step::Send(Said::new(text.as_bytes()))
}

fn expect(what: Wanted) -> Step {
    Step::Expect(Answer { what, negated: false, least: None })
}

fn text(text: &str) -> Step {
    expect(Wanted::Octets(Said::new(text.as_bytes())))
}

async fn hold(to: SocketAddr, steps: Vec<Step>) -> Outcome {
    let talk = Talk { first: Dial { to, tls: None }, connect: SECOND, steps };
    probe(Probe::Talk(talk), Duration::from_millis(500)).await
}

#[tokio::test]
async fn the_master_of_redis_is_found_by_its_own_words() {
    let script = |role| {
        vec![
            Act::Hear("PING\r\n"),
            Act::Say("+PONG\r\n"),
            Act::Hear("info replication\r\n"),
            Act::Say(role),
            Act::Hear("QUIT\r\n"),
            Act::Say("+OK\r\n"),
        ]
    };
    let steps = || {
        vec![
            send("PING\r\n"),
            text("+PONG"),
            send("info replication\r\n"),
            text("role:master"),
            send("QUIT\r\n"),
            text("+OK"),
        ]
    };
    let up = hold(playing(script("$17\r\nrole:master\r\n")).await, steps()).await;
    assert!(up.passed && up.code == CheckCode::L7Ok, "{up:?}");
    let down = hold(playing(script("$16\r\nrole:slave\r\n")).await, steps()).await;
    assert!(!down.passed && down.code == CheckCode::L7Timeout, "{down:?}");
    assert_eq!(down.info, "at step 5 of tcp-check (expect string 'role:master')");
}

#[tokio::test]
async fn a_server_that_hangs_up_or_says_nothing_is_told_apart() {
    let closed = hold(playing(vec![]).await, vec![text("+PONG")]).await;
    assert_eq!(closed.code, CheckCode::L7Response, "{closed:?}");
    assert_eq!(closed.info, "got an empty response at step 2 of tcp-check (expect string '+PONG')");
    let silent = hold(playing(vec![Act::Wait]).await, vec![text("+PONG")]).await;
    assert_eq!(silent.code, CheckCode::L7Timeout, "{silent:?}");
    let gone = hold(nobody().await, vec![text("+PONG")]).await;
    assert_eq!(gone.code, CheckCode::L4Connection, "{gone:?}");
}

#[tokio::test]
async fn several_conditions_look_at_one_answer_until_something_is_sent() {
    let to = playing(vec![Act::Say("one two"), Act::Hear("x"), Act::Say("three"), Act::Wait]).await;
    let steps = vec![text("two"), text("one"), send("x"), text("three")];
    assert!(hold(to, steps).await.passed);
    let to = playing(vec![Act::Say("one"), Act::Hear("x"), Act::Wait]).await;
    let forgotten = hold(to, vec![text("one"), send("x"), text("one")]).await;
    assert_eq!(forgotten.code, CheckCode::L7Timeout, "{forgotten:?}");
}

#[tokio::test]
async fn a_second_connect_goes_to_its_own_server() {
    let second = playing(vec![Act::Say("second"), Act::Wait]).await;
    let first = playing(vec![Act::Say("first"), Act::Wait]).await;
    let again = Step::Connect(Dial { to: second, tls: None });
    assert!(hold(first, vec![text("first"), again, text("second")]).await.passed);
    let lost = Step::Connect(Dial { to: nobody().await, tls: None });
    let refused = hold(first, vec![text("first"), lost]).await;
    assert_eq!(refused.code, CheckCode::L4Connection, "{refused:?}");
    assert!(refused.info.contains("at step 3 of tcp-check (connect port "), "{refused:?}");
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    const FLOOD: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let to =
        server(
            |mut stream: TcpStream| async move { while stream.write_all(FLOOD.as_bytes()).await.is_ok() {} },
        )
        .await;
    let outcome = hold(to, vec![text("never")]).await;
    assert_eq!(outcome.code, CheckCode::L7Response, "{outcome:?}");
}

#[tokio::test]
async fn a_protocol_s_error_speaks_for_itself() {
    let to = playing(vec![Act::Say("-NOAUTH Authentication required.\r\n"), Act::Wait]).await;
    let outcome = hold(to, vec![expect(Wanted::Reply(Reply::Pong))]).await;
    assert_eq!(
        (outcome.code, outcome.info.as_str()),
        (CheckCode::L7Status, "-NOAUTH Authentication required.")
    );
}
