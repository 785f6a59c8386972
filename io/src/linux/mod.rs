//! Linux: netlink, raw sockets, ARP, neighbour discovery, processes.
mod accounts;
pub mod process;
mod process_sys;
