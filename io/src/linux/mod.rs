//! Linux: netlink, raw sockets, ARP, neighbour discovery, processes.
