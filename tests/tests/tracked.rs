//! A file and a process are tracked on a real host: the address moves when the file says so, and when the process ends.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::Files;
use std::process::{Child, Command};
use std::time::Duration;
use system_tests::{VIP, all, bench};

const SETTLED: Duration = Duration::from_secs(12);

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_address_follows_a_file_and_a_process() {
    let bench = bench!("tracked", "cp");
    let folder = std::env::temp_dir().join(format!("sf-tracked-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (number, program) = (folder.join("number"), folder.join(format!("sf{}", std::process::id())));
    std::fs::copy("/bin/sleep", &program).unwrap();
    let run = || Running(Command::new(&program).arg("600").spawn().unwrap());
    std::fs::write(&number, "0\n").unwrap();

    let files = |node: usize| {
        let priority = [110, 105, 100][node - 1];
        let mut files = Files::router(&format!(
            "    virtual_router_id 51\n    priority {priority}\n    virtual_ipaddress {{\n        {VIP}\n    }}"
        ));
        if node == 1 {
            let (file, process) = (number.display(), program.display());
            let blocks = format!(
                "track_file f {{\n  file {file}\n}}\nvrrp_track_process p {{\n  process {process}\n  weight -20\n}}\n\
                 vrrp_instance"
            );
            let lines = "track_file {\n        f\n    }\n    track_process {\n        p\n    }";
            files = files.with("vrrp_instance", &blocks).instance(lines);
        }
        files
    };
    let mut process = Some(run());
    let cluster = Cluster::start(&bench.plan(), VIP, all(&bench.standfast(), files)).unwrap();
    let expect = |host: &str, what: &str| {
        if let Err(trouble) = cluster.watch().wait_for(host, SETTLED) {
            panic!("{what}: {trouble}\n{}", cluster.said());
        }
    };
    expect("cp1", "the start");
    std::fs::write(&number, "-20\n").unwrap();
    expect("cp2", "the file says -20");
    std::fs::write(&number, "0\n").unwrap();
    expect("cp1", "the file says 0");
    drop(process.take());
    expect("cp2", "the process has ended");
    process = Some(run());
    expect("cp1", "the process runs again");
    drop(process);
    std::fs::remove_dir_all(&folder).unwrap();
}
