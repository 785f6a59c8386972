//! What can be done to a laboratory: cables cut, power lost, the LAN split, one direction lost, and all of it undone.
//!
//! Splits are made by nftables rules in the switch, so that no machine sees its own link go down; a cut cable is
//! the switch's port going down, which a machine does see.

use super::host::Host;
use super::net::Lab;
use super::process::{self, Result};

impl Lab {
    /// Takes the switch's end of a machine's cable down.
    ///
    /// # Errors
    /// When there is no such machine.
    pub fn cut(&self, name: &str) -> Result<()> {
        self.set_port(name, "down")
    }

    /// Plugs the cable in again.
    ///
    /// # Errors
    /// When there is no such machine.
    pub fn plug(&self, name: &str) -> Result<()> {
        self.set_port(name, "up")
    }

    /// Power loss: the cable is cut and every process of the machine except those in `spared` is killed at once.
    ///
    /// # Errors
    /// When there is no such machine.
    pub fn power_off(&self, name: &str, spared: &[u32]) -> Result<()> {
        let host = self.host(name)?;
        let mut pids = host.pids()?;
        pids.retain(|pid| !spared.contains(pid));
        // Frozen first, so that nobody notices the dead cable, and no dying socket sends a reset.
        process::signal(&pids, "STOP");
        self.cut(name)?;
        process::signal(&pids, "KILL");
        // A script that was being started while the list was made.
        let mut rest = host.pids()?;
        rest.retain(|pid| !spared.contains(pid));
        process::signal(&rest, "KILL");
        host.reset_addresses()
    }

    /// Switches the machine on again: cable in, its own addresses only.
    ///
    /// # Errors
    /// When there is no such machine.
    pub fn power_on(&self, name: &str) -> Result<()> {
        self.host(name)?.reset_addresses()?;
        self.plug(name)
    }

    /// Divides the LAN into parts that hear nothing of each other.
    ///
    /// # Errors
    /// When a name is unknown or nftables is missing.
    pub fn split(&mut self, parts: &[&[&str]]) -> Result<()> {
        for (index, part) in parts.iter().enumerate() {
            for (other, others) in parts.iter().enumerate() {
                if index != other {
                    self.add_rules(part, others, "drop")?;
                }
            }
        }
        self.load_rules()
    }

    /// Loses everything that goes from one machine to the other, and nothing of the way back.
    ///
    /// # Errors
    /// When a name is unknown or nftables is missing.
    pub fn one_way(&mut self, from: &str, to: &str) -> Result<()> {
        self.add_rules(&[from], &[to], "drop")?;
        self.load_rules()
    }

    /// Loses only the advertisements between the nodes; everybody else still reaches everybody.
    ///
    /// # Errors
    /// When nftables is missing.
    pub fn deafen(&mut self) -> Result<()> {
        self.rules.push("meta protocol ip ip protocol 112 drop".to_owned());
        self.rules.push("meta protocol ip6 ip6 nexthdr 112 drop".to_owned());
        self.load_rules()
    }

    /// Undoes every split at once.
    ///
    /// # Errors
    /// When nftables is missing.
    pub fn heal(&mut self) -> Result<()> {
        self.rules.clear();
        self.load_rules()
    }

    fn add_rules(&mut self, from: &[&str], to: &[&str], verdict: &str) -> Result<()> {
        for source in from {
            for target in to {
                let rule = format!(
                    "iifname \"{}\" oifname \"{}\" {verdict}",
                    self.host(source)?.port(),
                    self.host(target)?.port()
                );
                self.rules.push(rule);
            }
        }
        Ok(())
    }

    /// One transaction: the old rules go and the new ones come in the same instant.
    fn load_rules(&self) -> Result<()> {
        let mut text = String::from("table bridge lab\ndelete table bridge lab\n");
        if !self.rules.is_empty() {
            text.push_str("table bridge lab {\n chain forward {\n  type filter hook forward priority 0;\n");
            for rule in &self.rules {
                text.push_str(&format!("  {rule}\n"));
            }
            text.push_str(" }\n}\n");
        }
        self.at_switch(&["nft", "-f", "-"], &text).map(drop)
    }

    fn set_port(&self, name: &str, state: &str) -> Result<()> {
        let port = self.host(name).map(Host::port)?;
        process::run(&["ip", "-n", &self.switch(), "link", "set", &port, state]).map(drop)
    }
}
