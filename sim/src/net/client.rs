//! A client of a simulation.
//!
//! It finds the holder of the virtual address through its own neighbour cache, connects to that host, sends a few
//! octets of its own and wants exactly them back from a backend. A host that does not hold the address does not
//! answer, as in life.

use super::board::{Shared, Try};
use super::clock;
use super::host::{Neighbour, Neighbours};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::TcpStream;

/// The client tries so often.
pub const EVERY: Duration = Duration::from_millis(100);
/// It gives up after this time.
const PATIENCE: Duration = Duration::from_millis(500);
/// So many octets are sent, and wanted back.
pub const WORDS: usize = 12;

/// Tries `vip` for ever, as client number `nth`.
///
/// # Errors
/// When its sockets cannot be opened.
pub async fn client(board: Shared, nth: usize, vip: SocketAddr) -> turmoil::Result {
    let socket = Rc::new(Neighbours::open(vip.is_ipv4()).await?);
    tokio::task::spawn_local(listen(board.clone(), nth, socket.clone()));
    let mut turn = tokio::time::interval(EVERY);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for number in 0_u64.. {
        turn.tick().await;
        let began = clock::now();
        let owner = board.borrow().clients[nth].cache.get(&vip.ip()).copied();
        let answer = match owner {
            None => {
                socket.shout(Neighbour::Query, vip.ip());
                Try::Silent
            }
            Some(owner) if holds(&board, owner, vip.ip()) => {
                let asked = ask(SocketAddr::new(owner, vip.port()), number);
                tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Try::Silent)
            }
            Some(_) => {
                tokio::time::sleep(PATIENCE).await;
                Try::Silent
            }
        };
        let mut board = board.borrow_mut();
        board.hash.number(clock::now().0);
        board.hash.debug(&answer);
        board.clients[nth].tries.push((began, answer));
    }
    Ok(())
}

fn holds(board: &Shared, owner: IpAddr, vip: IpAddr) -> bool {
    let board = board.borrow();
    let holds = |node: &super::board::NodeBoard| {
        node.own == owner && node.kernel.addresses.keys().any(|(_, held)| held.addr() == vip)
    };
    board.nodes.iter().any(holds)
}

async fn listen(board: Shared, nth: usize, socket: Rc<Neighbours>) {
    loop {
        let (heard, sender) = socket.hear().await;
        let cache = &mut board.borrow_mut().clients[nth].cache;
        match heard {
            Some((Neighbour::Announce, address)) => {
                cache.insert(address, sender.ip());
            }
            Some((Neighbour::Reply, address)) => {
                cache.entry(address).or_insert(sender.ip());
            }
            Some((Neighbour::Query, _)) | None => {}
        }
    }
}

/// Sends words that nobody else sends; what comes back, if it all does, must be them.
async fn ask(to: SocketAddr, number: u64) -> Try {
    let mut words = *b"word........";
    words[4..].copy_from_slice(&number.to_be_bytes());
    let mut answer = [0; WORDS];
    match exchange(to, &words, &mut answer).await {
        Ok(()) if answer == words => Try::Served,
        Ok(()) => Try::Wrong,
        Err(_) => Try::Refused,
    }
}

async fn exchange(to: SocketAddr, words: &[u8], answer: &mut [u8]) -> io::Result<()> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(words).await?;
    stream.read_exact(answer).await.map(drop)
}

/// Keeps `at_once` requests open to `to`, for ever, and counts those that were answered.
///
/// # Errors
/// Never.
pub async fn load(board: Shared, to: SocketAddr, at_once: usize) -> turmoil::Result {
    for task in 1..at_once as u64 {
        tokio::task::spawn_local(one_after_another(board.clone(), to, task << 32));
    }
    one_after_another(board, to, 0).await;
    Ok(())
}

async fn one_after_another(board: Shared, to: SocketAddr, first: u64) {
    for number in first.. {
        if ask(to, number).await == Try::Served {
            board.borrow_mut().served += 1;
        } else {
            tokio::time::sleep(EVERY).await; // a refused one must not spin
        }
    }
}
