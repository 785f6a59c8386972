//! Watches links and addresses, and the removal of our routes and rules: one subscribed routing socket, a full dump at the start and after every overrun.
//!
//! Decides nothing of what the notices mean. Subscription comes before the dump and both share one socket, so that
//! their order is the kernel's. A dump that the kernel calls interrupted, or during which notices were lost, is
//! begun anew: `ResyncBegin` may come several times before its `ResyncEnd`. When the driver is slow, notices wait in
//! the socket, and what does not fit there is made good by the next dump.

use super::messages::{self, Message, Table};
use super::sys;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};
use standfast_core::input::{Input, KernelNotice};
use std::io;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::Sender;

/// The largest datagram read; the kernel's dumps use at most half of it.
const DATAGRAM: usize = 64 * 1024;
/// Notices that may wait in the socket, in bytes as the kernel counts them.
const SOCKET_BUFFER: u32 = 1024 * 1024;
/// Pause before a dump is asked for again when the kernel would not even take the question.
const RETRY: Duration = Duration::from_millis(200);

/// The watcher of links and addresses.
#[derive(Debug)]
pub(super) struct Monitor {
    socket: AsyncFd<Socket>,
    to: Sender<Input<'static>>,
    /// What is being dumped.
    dump: Option<Table>,
    /// Notices were lost: once this dump is over, all over again.
    again: bool,
    sequence: u32,
}

impl Monitor {
    /// Subscribes. Needs a tokio runtime with IO, but no privilege.
    pub(super) fn new(to: Sender<Input<'static>>) -> io::Result<Monitor> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        // Best effort: without it the default size serves, and overruns are made good.
        let _ = socket.set_rx_buf_sz(SOCKET_BUFFER);
        let groups = [libc::RTNLGRP_LINK, libc::RTNLGRP_IPV4_IFADDR, libc::RTNLGRP_IPV6_IFADDR];
        let groups = groups.iter().fold(0, |mask, group| mask | 1 << (group - 1));
        socket.bind(&SocketAddr::new(0, groups))?;
        socket.set_non_blocking(true)?;
        let socket = sys::watch(socket)?;
        Ok(Monitor { socket, to, dump: None, again: true, sequence: 0 })
    }

    /// Reports until nobody listens any more.
    pub(super) async fn run(mut self) {
        let mut buffer = Vec::with_capacity(DATAGRAM);
        loop {
            if self.again && self.dump.is_none() && !self.begin().await {
                return;
            }
            match self.read(&mut buffer).await {
                Ok(length) if length > DATAGRAM => self.again = true,
                Ok(_) => {
                    for received in messages::parse(&buffer) {
                        if !self.on_message(received).await {
                            return;
                        }
                    }
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => self.again = true,
                Err(_) => {
                    self.again = true;
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn read(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            let mut ready = self.socket.readable().await?;
            buffer.clear();
            if let Ok(result) = ready.try_io(|socket| socket.get_ref().recv(buffer, libc::MSG_TRUNC)) {
                return result;
            }
        }
    }

    /// Starts a dump; false when nobody listens any more.
    async fn begin(&mut self) -> bool {
        self.again = false;
        if !self.tell(KernelNotice::ResyncBegin).await {
            return false;
        }
        self.ask(Table::Links).await;
        true
    }

    async fn ask(&mut self, table: Table) {
        self.sequence = self.sequence.wrapping_add(1);
        let request = messages::dump(table, self.sequence);
        while self.socket.get_ref().send_to(&request, &SocketAddr::new(0, 0), 0).is_err() {
            tokio::time::sleep(RETRY).await;
        }
        self.dump = Some(table);
    }

    /// Passes a notice on, or goes on with the dump; false when nobody listens any more.
    async fn on_message(&mut self, received: messages::Received) -> bool {
        self.again |= received.interrupted;
        let current = received.sequence == self.sequence;
        match received.message {
            Message::Notice(notice) => self.tell(notice).await,
            Message::Done if current => self.step().await,
            Message::Answer(Some(_)) if current => {
                // The kernel would not dump (memory, a dump still running): the loop begins anew.
                self.dump = None;
                self.again = true;
                tokio::time::sleep(RETRY).await;
                true
            }
            Message::Done | Message::Answer(_) | Message::Other => true,
        }
    }

    /// One table is complete.
    async fn step(&mut self) -> bool {
        match self.dump.take() {
            Some(_) if self.again => true,
            Some(Table::Links) => {
                self.ask(Table::Addresses).await;
                true
            }
            Some(Table::Addresses) => self.tell(KernelNotice::ResyncEnd).await,
            None => true,
        }
    }

    async fn tell(&self, notice: KernelNotice) -> bool {
        self.to.send(Input::Kernel(notice)).await.is_ok()
    }
}

/// The watcher of routes and rules. It only says that something of ours was removed: the core looks what.
#[derive(Debug)]
pub(super) struct ItemMonitor {
    socket: AsyncFd<Socket>,
    to: Sender<Input<'static>>,
}

impl ItemMonitor {
    /// Subscribes.
    pub(super) fn new(to: Sender<Input<'static>>) -> io::Result<ItemMonitor> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let _ = socket.set_rx_buf_sz(SOCKET_BUFFER);
        let groups = [
            libc::RTNLGRP_IPV4_ROUTE,
            libc::RTNLGRP_IPV6_ROUTE,
            libc::RTNLGRP_IPV4_RULE,
            libc::RTNLGRP_IPV6_RULE,
        ];
        let groups = groups.iter().fold(0, |mask, group| mask | 1 << (group - 1));
        socket.bind(&SocketAddr::new(0, groups))?;
        socket.set_non_blocking(true)?;
        Ok(ItemMonitor { socket: sys::watch(socket)?, to })
    }

    /// Reports until nobody listens any more. Lost notices count as one of ours.
    pub(super) async fn run(self) {
        let mut buffer = Vec::with_capacity(DATAGRAM);
        loop {
            let Ok(mut ready) = self.socket.readable().await else { return };
            buffer.clear();
            let touched = match ready.try_io(|socket| socket.get_ref().recv(&mut buffer, 0)) {
                Err(_) => continue,
                Ok(Ok(_)) => messages::removes_marked(&buffer),
                Ok(Err(error)) => error.raw_os_error() == Some(libc::ENOBUFS),
            };
            if touched && self.to.send(Input::Kernel(KernelNotice::ItemsTouched)).await.is_err() {
                return;
            }
        }
    }
}
