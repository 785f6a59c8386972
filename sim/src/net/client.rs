//! A client and the backends of a simulation.
//!
//! The client finds the holder of the virtual address through its own neighbour cache, connects to that host, sends
//! four octets and wants them back from a backend. A host that does not hold the address does not answer, as in life.

use super::board::{Shared, Try};
use super::clock;
use super::host::{NEIGHBOUR_PORT, Neighbour};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::{TcpListener, TcpStream, UdpSocket};

/// The client tries so often.
pub const EVERY: Duration = Duration::from_millis(100);
/// It gives up after this time.
const PATIENCE: Duration = Duration::from_millis(500);
/// What it sends, and wants back.
const PING: [u8; 4] = *b"ping";

/// Tries `vip` for ever, as client number `nth`.
///
/// # Errors
/// When its sockets cannot be opened.
pub async fn client(board: Shared, nth: usize, vip: SocketAddr) -> turmoil::Result {
    let socket = UdpSocket::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), NEIGHBOUR_PORT)).await?;
    socket.set_broadcast(true)?;
    let socket = Rc::new(socket);
    tokio::task::spawn_local(listen(board.clone(), nth, socket.clone()));
    let mut turn = tokio::time::interval(EVERY);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        let began = clock::now();
        let owner = board.borrow().clients[nth].cache.get(&vip.ip()).copied();
        let Some(owner) = owner else {
            let to = SocketAddr::new(IpAddr::V4(Ipv4Addr::BROADCAST), NEIGHBOUR_PORT);
            socket.try_send_to(&Neighbour::Query.datagram(vip.ip()), to)?;
            board.borrow_mut().clients[nth].tries.push((began, Try::Silent));
            continue;
        };
        let holds = |node: &super::board::NodeBoard| {
            node.own == owner && node.kernel.addresses.keys().any(|(_, held)| held.addr() == vip.ip())
        };
        let answer = if board.borrow().nodes.iter().any(holds) {
            match tokio::time::timeout(PATIENCE, ask(SocketAddr::new(owner, vip.port()))).await {
                Ok(Ok(())) => Try::Served,
                Ok(Err(_)) => Try::Refused,
                Err(_) => Try::Silent,
            }
        } else {
            tokio::time::sleep(PATIENCE).await;
            Try::Silent
        };
        let mut board = board.borrow_mut();
        board.hash.number(clock::now().0);
        board.hash.debug(&answer);
        board.clients[nth].tries.push((began, answer));
    }
}

async fn listen(board: Shared, nth: usize, socket: Rc<UdpSocket>) {
    let mut frame = [0; 64];
    while let Ok((length, sender)) = socket.recv_from(&mut frame).await {
        let cache = &mut board.borrow_mut().clients[nth].cache;
        match Neighbour::parse(&frame[..length]) {
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

async fn ask(to: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(&PING).await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    if answer == PING { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// A backend that gives back the first four octets of each connection and closes it.
///
/// # Errors
/// When it cannot listen.
pub async fn backend(port: u16) -> turmoil::Result {
    let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::task::spawn_local(async move {
            let mut octets = [0; 4];
            if stream.read_exact(&mut octets).await.is_ok() && stream.write_all(&octets).await.is_ok() {
                let _ = stream.shutdown().await; // the client may have gone
            }
        });
    }
}
